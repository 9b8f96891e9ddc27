//! Records with something in every field.

use std::collections::BTreeMap;

use dex_core::Timestamp;
use dex_core::records::{
    AuthCode, AuthRequest, AuthSession, Claims, Client, ClientAuthState, Connector, DeviceRequest,
    DeviceToken, Json, LogoutState, MfaSecret, OfflineSession, Password, PkceChallenge,
    RefreshToken, RefreshTokenRef, SigningKeys, UserIdentity, VerificationKey, WebAuthnCredential,
};
use serde_json::json;

/// 2026-08-06 12:00:00 UTC and `millis`: every backend keeps milliseconds.
pub(super) fn at(millis: i64) -> Timestamp {
    let nanos = u32::try_from(millis.rem_euclid(1000)).unwrap() * 1_000_000;
    Timestamp::from_unix(1_786_017_600 + millis.div_euclid(1000), nanos).unwrap()
}

pub(super) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

pub(super) fn claims() -> Claims {
    Claims {
        user_id: "1".into(),
        username: "Jane Ünïcödé 日本語".into(),
        preferred_username: "jane".into(),
        email: "jane.doe@example.com".into(),
        email_verified: true,
        groups: texts(&["a", "b <&> \"quoted\""]),
    }
}

pub(super) fn pkce() -> PkceChallenge {
    PkceChallenge {
        challenge: "12345".into(),
        method: "S256".into(),
    }
}

pub(super) fn auth_code(id: &str) -> AuthCode {
    AuthCode {
        id: id.into(),
        client_id: "client".into(),
        scopes: texts(&["openid", "email"]),
        nonce: "foobar".into(),
        redirect_uri: "https://localhost:80/callback?a=b&c=d".into(),
        claims: claims(),
        connector_id: "ldap".into(),
        connector_data: br#"{"some":"data"}"#.to_vec().into(),
        expiry: at(60_000),
        pkce: pkce(),
        auth_time: at(-5),
        session_id: "session".into(),
    }
}

pub(super) fn auth_request(id: &str) -> AuthRequest {
    AuthRequest {
        id: id.into(),
        client_id: "client".into(),
        response_types: texts(&["code"]),
        scopes: texts(&["openid", "email"]),
        redirect_uri: "https://localhost:80/callback".into(),
        nonce: "foo".into(),
        state: "bar".into(),
        force_approval_prompt: true,
        expiry: at(120_000),
        logged_in: true,
        claims: claims(),
        connector_id: "ldap".into(),
        connector_data: vec![0, 1, 255].into(),
        pkce: pkce(),
        hmac_key: b"hmac key".to_vec().into(),
        mfa_validated: true,
        prompt: "login consent".into(),
        max_age: -1,
        auth_time: at(0),
        webauthn_session_data: br#"{"challenge":"x"}"#.to_vec().into(),
    }
}

pub(super) fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        secret: "foobar".into(),
        redirect_uris: texts(&["foo://bar.com/", "https://auth.example.com"]),
        trusted_peers: texts(&["peer"]),
        public: true,
        name: "dex client".into(),
        logo_url: "https://goo.gl/JIyzIC".into(),
        allowed_connectors: texts(&["github", "google"]),
        mfa_chain: Some(texts(&["totp"])),
        post_logout_redirect_uris: texts(&["https://app.example.com/bye"]),
        sso_shared_with: Some(texts(&["*"])),
        backchannel_logout_uri: "https://app.example.com/logout".into(),
        refresh_token_lifetime: "session".into(),
    }
}

pub(super) fn refresh_token(id: &str) -> RefreshToken {
    RefreshToken {
        id: id.into(),
        client_id: "client".into(),
        scopes: texts(&["openid", "offline_access"]),
        nonce: "foo".into(),
        claims: claims(),
        connector_id: "client_secret".into(),
        connector_data: br#"{"some":"data"}"#.to_vec().into(),
        token: "bar".into(),
        obsolete_token: String::new().into(),
        created_at: at(0),
        last_used: at(1),
    }
}

/// Stored addresses come back in lower case from some backends, so they are given in lower case.
pub(super) fn password(email: &str, email_verified: Option<bool>) -> Password {
    Password {
        email: email.into(),
        hash: b"$2a$10$33EMT0cVYVlPy6WAMCLsceLYjWhuHpbz5yuZxu/GAFj03J9Lytjuy"
            .to_vec()
            .into(),
        username: "jane".into(),
        user_id: "foobar".into(),
        preferred_username: "jane-public".into(),
        groups: texts(&["team-a", "team-b"]),
        name: "Jane Doe".into(),
        email_verified,
    }
}

pub(super) fn offline_session() -> OfflineSession {
    OfflineSession {
        user_id: "User|1".into(),
        conn_id: "Conn1".into(),
        refresh: BTreeMap::new(),
        connector_data: br#"{"some":"data"}"#.to_vec().into(),
    }
}

pub(super) fn refresh_token_ref(id: &str, client_id: &str) -> RefreshTokenRef {
    RefreshTokenRef {
        id: id.into(),
        client_id: client_id.into(),
        created_at: at(0),
        last_used: at(1),
        session_id: "session".into(),
    }
}

pub(super) fn connector(id: &str, grant_types: &[&str]) -> Connector {
    Connector {
        id: id.into(),
        kind: "Default".into(),
        name: "Default".into(),
        resource_version: "1".into(),
        config: br#"{"issuer":"https://accounts.google.com"}"#.to_vec().into(),
        grant_types: texts(grant_types),
    }
}

pub(super) fn device_request(user_code: &str) -> DeviceRequest {
    DeviceRequest {
        user_code: user_code.into(),
        device_code: "device".into(),
        client_id: "client".into(),
        client_secret: "secret".into(),
        scopes: texts(&["openid", "email"]),
        expiry: at(0),
    }
}

pub(super) fn device_token(device_code: &str) -> DeviceToken {
    DeviceToken {
        device_code: device_code.into(),
        status: "authorization_pending".into(),
        expiry: at(0),
        last_request: at(1),
        poll_interval: 5,
        pkce: pkce(),
        ..DeviceToken::default()
    }
}

pub(super) fn user_identity() -> UserIdentity {
    UserIdentity {
        user_id: "user".into(),
        connector_id: "conn".into(),
        claims: claims(),
        consents: BTreeMap::new(),
        created_at: at(0),
        last_login: at(1),
        blocked_until: Timestamp::from_unix(0, 0).unwrap(),
        mfa_secrets: BTreeMap::from([(
            "totp".to_owned(),
            MfaSecret {
                authenticator_id: "totp".into(),
                kind: "TOTP".into(),
                secret: "otpauth://totp/x".into(),
                confirmed: true,
                created_at: at(2),
                last_used_counter: 7,
            },
        )]),
        webauthn_credentials: BTreeMap::from([(
            "key".to_owned(),
            vec![WebAuthnCredential {
                credential_id: "AQID".into(),
                sign_count: 9,
                transport: Some(texts(&["usb"])),
                created_at: at(3),
                ..WebAuthnCredential::default()
            }],
        )]),
    }
}

pub(super) fn auth_session(id: &str) -> AuthSession {
    AuthSession {
        id: id.into(),
        secret: "secret".into(),
        user_id: "user".into(),
        connector_id: "conn".into(),
        client_states: BTreeMap::from([("client1".to_owned(), client_state(true))]),
        created_at: at(0),
        last_activity: at(1),
        ip_address: "192.168.1.1".into(),
        user_agent: "Mozilla/5.0".into(),
        absolute_expiry: at(86_400_000),
        idle_expiry: at(3_600_000),
        logout_state: Json(Some(LogoutState {
            post_logout_redirect_uri: "https://app.example.com/bye".into(),
            state: "xyz".into(),
            client_id: "client1".into(),
            connector_id: "conn".into(),
        })),
    }
}

pub(super) fn client_state(via_sso: bool) -> ClientAuthState {
    ClientAuthState {
        authenticated_at: at(0),
        last_activity: at(1),
        last_token_issued_at: at(2),
        via_sso,
    }
}

/// A complete set of keys, told apart by `kid`.
pub(super) fn signing_keys(kid: &str) -> SigningKeys {
    let public = json!({"use": "sig", "kty": "EC", "kid": kid, "crv": "P-256", "alg": "ES256", "x": "eA", "y": "eQ"});
    let mut private = public.clone();
    if let Some(members) = private.as_object_mut() {
        members.insert("d".to_owned(), json!("ZA"));
    }
    SigningKeys {
        id: SigningKeys::ID.into(),
        verification_keys: Json(Some(vec![
            VerificationKey {
                public_key: json!({"kty": "RSA", "kid": format!("{kid}-old"), "n": "AQ", "e": "AQAB"}),
                expiry: at(1_000),
            },
            VerificationKey {
                public_key: public.clone(),
                expiry: at(2_000),
            },
        ])),
        signing_key: private.into(),
        signing_key_pub: Json(Some(public)),
        next_rotation: at(3_000),
    }
}
