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
use crate::{Algorithm, HashedPayload, InvalidKey, SignerError, SigningKey};

/// Parsed once, used for every signature until the next rotation.
pub(super) struct LocalKey {
    id: String,
    algorithm: Algorithm,
    /// The encoded header without `typ`, made once.
    header: Arc<str>,
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
            header: Arc::from(""),
            public: members.public().to_value(),
            signer: signer.into(),
            pool,
            id: members.kid,
        };
        key.header = key.encode_header(None).into();
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
        let token = self.signing_input(typ, &payload);
        if self.is_quick() {
            return append_signature(&*self.signer, token);
        }
        let signer = Arc::clone(&self.signer);
        self.on_signing_thread(move || append_signature(&*signer, token))
            .await
    }

    async fn sign_pair(
        &self,
        first: Vec<u8>,
        second: HashedPayload,
    ) -> Result<(String, String), SignerError> {
        let first = self.signing_input(None, &first);
        let (signer, header, algorithm) = (
            Arc::clone(&self.signer),
            Arc::clone(&self.header),
            self.algorithm,
        );
        let both = move || {
            let first = append_signature(&*signer, first)?;
            let second = second.with_hash(&algorithm.half_hash(&first));
            let second = append_signature(&*signer, encode(&header, &second))?;
            Ok((first, second))
        };
        if self.is_quick() {
            both()
        } else {
            self.on_signing_thread(both).await
        }
    }
}

impl LocalKey {
    /// What is signed: header and payload, encoded.
    fn signing_input(&self, typ: Option<&str>, payload: &[u8]) -> String {
        match typ {
            None => encode(&self.header, payload),
            typ => encode(&self.encode_header(typ), payload),
        }
    }

    async fn on_signing_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, SignerError> + Send + 'static,
    ) -> Result<T, SignerError> {
        self.pool.run(job).await.unwrap_or_else(|| {
            Err(SignerError::Unavailable {
                context: "the signing threads are gone".to_owned(),
                source: None,
            })
        })
    }
}

/// An encoded header and a payload, with room for the signature.
fn encode(header: &str, payload: &[u8]) -> String {
    let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 360);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    token
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
