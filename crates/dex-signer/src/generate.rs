//! Making key pairs in the form Dex stores them (compat: `signer.md` §2.1 and §3).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::entropy::Entropy;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use serde_json::Value;

use crate::jwk::Members;
use crate::{Algorithm, SignerError};

/// Size of new RSA keys, as Dex makes them.
const RSA_BITS: u32 = 2048;

/// A fresh key pair as JWKs that share one key id.
#[derive(Clone, PartialEq)]
pub(crate) struct KeyPair {
    pub(crate) kid: String,
    pub(crate) private: Value,
    pub(crate) public: Value,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Makes a key pair. RSA takes up to a second of one core: never call this on an async worker.
///
/// The key material comes from OpenSSL's generator, the key id from `entropy`.
pub(crate) fn key_pair(
    algorithm: Algorithm,
    entropy: &dyn Entropy,
) -> Result<KeyPair, SignerError> {
    let mut id = [0_u8; 20];
    entropy.fill(&mut id);
    let made = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => rsa(),
        Algorithm::Es256 => p256(),
        Algorithm::EdDsa => ed25519(),
        other => {
            return Err(SignerError::InvalidConfig(format!(
                "unsupported local signer algorithm {:?}",
                other.name()
            )));
        }
    };
    let members = Members {
        key_use: Some("sig".to_owned()),
        kid: hex::encode(id),
        alg: Some(algorithm.name().to_owned()),
        ..made.map_err(|error| SignerError::Failed {
            context: "generating a key pair",
            source: Box::new(error),
        })?
    };
    Ok(KeyPair {
        private: members.to_value(),
        public: members.public().to_value(),
        kid: members.kid,
    })
}

fn rsa() -> Result<Members, ErrorStack> {
    let key = Rsa::generate(RSA_BITS)?;
    let number = |number: &BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
    Ok(Members {
        kty: "RSA".to_owned(),
        n: Some(number(key.n())),
        e: Some(number(key.e())),
        d: Some(number(key.d())),
        p: key.p().map(number),
        q: key.q().map(number),
        dp: key.dmp1().map(number),
        dq: key.dmq1().map(number),
        qi: key.iqmp().map(number),
        ..Members::default()
    })
}

fn p256() -> Result<Members, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = EcKey::generate(&group)?;
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    let mut context = BigNumContext::new()?;
    key.public_key()
        .affine_coordinates(&group, &mut x, &mut y, &mut context)?;
    let coordinate =
        |number: &BigNumRef| number.to_vec_padded(32).map(|n| URL_SAFE_NO_PAD.encode(n));
    Ok(Members {
        kty: "EC".to_owned(),
        crv: Some("P-256".to_owned()),
        x: Some(coordinate(&x)?),
        y: Some(coordinate(&y)?),
        d: Some(coordinate(key.private_key())?),
        ..Members::default()
    })
}

fn ed25519() -> Result<Members, ErrorStack> {
    let key = PKey::generate_ed25519()?;
    Ok(Members {
        kty: "OKP".to_owned(),
        crv: Some("Ed25519".to_owned()),
        x: Some(URL_SAFE_NO_PAD.encode(key.raw_public_key()?)),
        d: Some(URL_SAFE_NO_PAD.encode(key.raw_private_key()?)),
        ..Members::default()
    })
}
