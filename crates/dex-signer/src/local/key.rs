//! A private key in this process's memory.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jws::JwsSigner;
use serde::Serialize;
use serde_json::Value;

use super::pool::SigningPool;
use crate::jwk::Members;
use crate::key_set::VerifyingKey;
use crate::{Algorithm, InvalidKey, SignerError, SigningKey};

/// Parsed once, used for every signature until the next rotation.
pub(super) struct LocalKey {
    id: String,
    algorithm: Algorithm,
    /// The encoded header without `typ`, made once.
    header: String,
    public: Value,
    signer: Arc<dyn JwsSigner>,
    pool: Arc<SigningPool>,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    kid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
}

impl LocalKey {
    /// Reads a stored private JWK and proves that it works.
    pub(super) fn read(private: &Value, pool: Arc<SigningPool>) -> Result<Self, InvalidKey> {
        let (members, algorithm) = Members::read(private)?;
        if members.d.is_none() {
            return Err(InvalidKey("not a private key"));
        }
        let signer = members.signer(algorithm)?;
        let mut key = Self {
            algorithm,
            header: String::new(),
            public: members.public().to_value(),
            signer: signer.into(),
            pool,
            id: members.kid,
        };
        key.header = key.encode_header(None);
        Ok(key)
    }

    /// The public half, ready to verify.
    pub(super) fn public(&self) -> Result<VerifyingKey, InvalidKey> {
        VerifyingKey::read(&self.public)
    }

    fn encode_header(&self, typ: Option<&str>) -> String {
        let header = Header {
            alg: self.algorithm.name(),
            kid: &self.id,
            typ,
        };
        let json = serde_json::to_vec(&header).expect("a struct of texts always has a JSON form");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// An elliptic curve signature costs about as much as handing it to another thread and back.
    fn is_quick(&self) -> bool {
        matches!(self.algorithm, Algorithm::Es256 | Algorithm::EdDsa)
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SigningKey for LocalKey {
    fn id(&self) -> &str {
        &self.id
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn sign(&self, typ: Option<&str>, payload: Vec<u8>) -> Result<String, SignerError> {
        let mut token = match typ {
            None => {
                let mut token =
                    String::with_capacity(self.header.len() + payload.len() * 4 / 3 + 360);
                token.push_str(&self.header);
                token
            }
            typ => self.encode_header(typ),
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        if self.is_quick() {
            return append_signature(&*self.signer, token);
        }
        let signer = Arc::clone(&self.signer);
        self.pool
            .run(move || append_signature(&*signer, token))
            .await
            .unwrap_or_else(|| {
                Err(SignerError::Unavailable {
                    context: "the signing threads are gone".to_owned(),
                    source: None,
                })
            })
    }
}

fn append_signature(signer: &dyn JwsSigner, mut token: String) -> Result<String, SignerError> {
    let signature = signer
        .sign(token.as_bytes())
        .map_err(|error| SignerError::Failed {
            context: "signing",
            source: Box::new(error),
        })?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
