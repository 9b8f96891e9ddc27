//! Keys as JWK JSON in the shape Dex stores and publishes (RFC 7517; compat: `signer.md` §3), and what is made of them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::Jwk;
use josekit::jws::{ES256, ES384, ES512, EdDSA, JwsSigner, JwsVerifier};
use josekit::jws::{PS256, PS384, PS512, RS256, RS384, RS512};
use openssl::bn::{BigNum, BigNumContext};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Algorithm;

/// Longest member accepted: the modulus of an RSA key of 12,288 bits.
const MAX_MEMBER: usize = 2048;

/// A key that cannot be used. Says why without showing the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unusable key: {0}")]
#[non_exhaustive]
pub struct InvalidKey(pub(crate) &'static str);

/// The members of a JWK that matter here, in the order Dex writes them; absent ones are left out.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Members {
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(crate) key_use: Option<String>,
    pub(crate) kty: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dq: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) qi: Option<String>,
}

/// May hold a private key: only names are shown.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("kty", &self.kty)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Members {
    /// Reads a JWK, infers a missing `alg` from the key, and checks that every member needed is there and bounded.
    pub(crate) fn read(jwk: &Value) -> Result<(Self, Algorithm), InvalidKey> {
        // Derived deserializers also take arrays; a JWK is an object.
        if !jwk.is_object() {
            return Err(InvalidKey("not a JSON object"));
        }
        let mut members = Self::deserialize(jwk).map_err(|_| InvalidKey("not a JWK"))?;
        if members.kid.len() > MAX_MEMBER {
            return Err(InvalidKey("key id too long"));
        }
        if members
            .key_use
            .as_deref()
            .is_some_and(|usage| usage != "sig")
        {
            return Err(InvalidKey("not a signature key"));
        }
        let algorithm = members.algorithm()?;
        members.key_use = Some("sig".to_owned());
        members.alg = Some(algorithm.name().to_owned());
        members.check_public(algorithm)?;
        Ok((members, algorithm))
    }

    fn algorithm(&self) -> Result<Algorithm, InvalidKey> {
        let inferred = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("EC", Some("P-384")) => Algorithm::Es384,
            ("EC", Some("P-521")) => Algorithm::Es512,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            _ => return Err(InvalidKey("unknown key type or curve")),
        };
        let stated = match self.alg.as_deref() {
            None | Some("") => return Ok(inferred),
            Some(name) => name
                .parse::<Algorithm>()
                .map_err(|_| InvalidKey("unknown algorithm"))?,
        };
        let fits = match stated {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => self.kty == "RSA",
            other => other == inferred,
        };
        if fits {
            Ok(stated)
        } else {
            Err(InvalidKey("algorithm does not fit the key type"))
        }
    }

    fn check_public(&self, algorithm: Algorithm) -> Result<(), InvalidKey> {
        match algorithm {
            Algorithm::Es256 => self.check_point(32),
            Algorithm::Es384 => self.check_point(48),
            Algorithm::Es512 => self.check_point(66),
            Algorithm::EdDsa => exactly(&bytes(self.x.as_ref())?, 32),
            _ => bytes(self.n.as_ref()).and(bytes(self.e.as_ref())).map(drop),
        }
    }

    fn check_point(&self, size: usize) -> Result<(), InvalidKey> {
        exactly(&bytes(self.x.as_ref())?, size)?;
        exactly(&bytes(self.y.as_ref())?, size)
    }

    /// The members that may be published.
    pub(crate) fn public(&self) -> Self {
        Self {
            d: None,
            p: None,
            q: None,
            dp: None,
            dq: None,
            qi: None,
            ..self.clone()
        }
    }

    /// The JWK as a JSON value, members in Dex's order.
    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a struct of texts always has a JSON form")
    }

    /// What verifies signatures of this key; parsed once, used often.
    pub(crate) fn verifier(
        &self,
        algorithm: Algorithm,
    ) -> Result<Box<dyn JwsVerifier>, InvalidKey> {
        let jwk = self.public().for_josekit()?;
        let verifier: Result<Box<dyn JwsVerifier>, _> = match algorithm {
            Algorithm::Rs256 => RS256.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Rs384 => RS384.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Rs512 => RS512.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Ps256 => PS256.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Ps384 => PS384.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Ps512 => PS512.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Es256 => ES256.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Es384 => ES384.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::Es512 => ES512.verifier_from_jwk(&jwk).map(boxed_verifier),
            Algorithm::EdDsa => EdDSA.verifier_from_jwk(&jwk).map(boxed_verifier),
        };
        verifier.map_err(|_| InvalidKey("public key material is not valid"))
    }

    /// What signs with this key, after proving that its public half verifies what it signs.
    pub(crate) fn signer(&self, algorithm: Algorithm) -> Result<Box<dyn JwsSigner>, InvalidKey> {
        let jwk = self.with_crt()?.for_josekit()?;
        let signer: Result<Box<dyn JwsSigner>, _> = match algorithm {
            Algorithm::Rs256 => RS256.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Rs384 => RS384.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Rs512 => RS512.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Ps256 => PS256.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Ps384 => PS384.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Ps512 => PS512.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Es256 => ES256.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Es384 => ES384.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::Es512 => ES512.signer_from_jwk(&jwk).map(boxed_signer),
            Algorithm::EdDsa => EdDSA.signer_from_jwk(&jwk).map(boxed_signer),
        };
        let signer = signer.map_err(|_| InvalidKey("private key material is not valid"))?;
        let probe = b"do both halves belong together?";
        let signature = signer
            .sign(probe)
            .map_err(|_| InvalidKey("private key cannot sign"))?;
        self.verifier(algorithm)?
            .verify(probe, &signature)
            .map_err(|_| InvalidKey("private and public half differ"))?;
        Ok(signer)
    }

    /// `dp`, `dq` and `qi` are optional in a stored RSA key; OpenSSL wants them.
    fn with_crt(&self) -> Result<Self, InvalidKey> {
        if self.kty != "RSA" || (self.dp.is_some() && self.dq.is_some() && self.qi.is_some()) {
            return Ok(self.clone());
        }
        let (d, p, q) = (
            bytes(self.d.as_ref())?,
            bytes(self.p.as_ref())?,
            bytes(self.q.as_ref())?,
        );
        let (dp, dq, qi) =
            chinese_remainder(&d, &p, &q).map_err(|_| InvalidKey("primes are not valid"))?;
        Ok(Self {
            dp: Some(URL_SAFE_NO_PAD.encode(dp)),
            dq: Some(URL_SAFE_NO_PAD.encode(dq)),
            qi: Some(URL_SAFE_NO_PAD.encode(qi)),
            ..self.clone()
        })
    }

    fn for_josekit(&self) -> Result<Jwk, InvalidKey> {
        let Value::Object(map) = self.to_value() else {
            return Err(InvalidKey("not a JSON object"));
        };
        Jwk::from_map(map).map_err(|_| InvalidKey("not a JWK"))
    }
}

fn boxed_verifier(verifier: impl JwsVerifier + 'static) -> Box<dyn JwsVerifier> {
    Box::new(verifier)
}

fn boxed_signer(signer: impl JwsSigner + 'static) -> Box<dyn JwsSigner> {
    Box::new(signer)
}

fn bytes(member: Option<&String>) -> Result<Vec<u8>, InvalidKey> {
    let text = member.ok_or(InvalidKey("a member is missing"))?;
    if text.is_empty() || text.len() > MAX_MEMBER {
        return Err(InvalidKey("a member is empty or too long"));
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| InvalidKey("a member is not base64url"))
}

fn exactly(bytes: &[u8], size: usize) -> Result<(), InvalidKey> {
    if bytes.len() == size {
        Ok(())
    } else {
        Err(InvalidKey("a member has the wrong length"))
    }
}

type CrtParameters = (Vec<u8>, Vec<u8>, Vec<u8>);

/// RFC 8017 §3.2: d mod (p-1), d mod (q-1), q⁻¹ mod p.
fn chinese_remainder(
    d: &[u8],
    p: &[u8],
    q: &[u8],
) -> Result<CrtParameters, openssl::error::ErrorStack> {
    let mut context = BigNumContext::new_secure()?;
    let one = BigNum::from_u32(1)?;
    let (d, p, q) = (
        BigNum::from_slice(d)?,
        BigNum::from_slice(p)?,
        BigNum::from_slice(q)?,
    );
    let (mut dp, mut dq, mut qi) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    dp.nnmod(&d, &(&p - &one), &mut context)?;
    dq.nnmod(&d, &(&q - &one), &mut context)?;
    qi.mod_inverse(&q, &p, &mut context)?;
    Ok((dp.to_vec(), dq.to_vec(), qi.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn members_that_do_not_fit_are_refused() {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        let short = URL_SAFE_NO_PAD.encode([7; 31]);
        for (jwk, why) in [
            (json!([]), "array"),
            (json!({"kty": "oct", "k": "AAAA"}), "symmetric"),
            (json!({"kty": "RSA", "n": "AQAB"}), "no exponent"),
            (
                json!({"kty": "RSA", "n": "+/", "e": "AQAB"}),
                "not base64url",
            ),
            (
                json!({"kty": "RSA", "n": "A".repeat(4000), "e": "AQAB"}),
                "too long",
            ),
            (
                json!({"kty": "RSA", "n": x, "e": "AQAB", "alg": "HS256"}),
                "HMAC",
            ),
            (
                json!({"kty": "RSA", "n": x, "e": "AQAB", "alg": "ES256"}),
                "alg of another type",
            ),
            (
                json!({"kty": "RSA", "n": x, "e": "AQAB", "use": "enc"}),
                "encryption key",
            ),
            (
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": short}),
                "short coordinate",
            ),
            (
                json!({"kty": "EC", "crv": "P-521", "alg": "ES256", "x": x, "y": x}),
                "curve",
            ),
            (
                json!({"kty": "OKP", "crv": "Ed25519", "x": short}),
                "short point",
            ),
            (
                json!({"kty": "OKP", "crv": "X25519", "x": x}),
                "no signature curve",
            ),
        ] {
            assert!(Members::read(&jwk).is_err(), "{why}");
        }
    }

    #[test]
    fn a_point_off_the_curve_does_not_verify_anything() {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        let (members, algorithm) =
            Members::read(&json!({"kty": "EC", "crv": "P-256", "x": x, "y": x})).unwrap();
        assert!(members.verifier(algorithm).is_err());
    }

    proptest! {
        #[test]
        fn no_members_panic_the_reader(
            kty in "RSA|EC|OKP|oct|", crv in "P-256|P-384|P-521|Ed25519|.{0,3}", alg in "RS256|ES256|PS256|EdDSA|.{0,4}",
            a in "[A-Za-z0-9_-]{0,90}", b in "[A-Za-z0-9_-]{0,90}", c in ".{0,10}",
        ) {
            let jwk = json!({"kty": kty, "crv": crv, "alg": alg, "x": a, "y": b, "n": a, "e": b, "d": a, "p": b, "q": c});
            if let Ok((members, algorithm)) = Members::read(&jwk) {
                let _ = members.verifier(algorithm);
                let _ = members.signer(algorithm);
            }
        }
    }
}
