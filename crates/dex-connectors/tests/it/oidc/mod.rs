//! `oidc` against the fake provider.

mod discovery;
mod exchange;
mod keys;
mod login;
mod logout;
mod refresh;
mod token_endpoint;
mod tokens;
mod userinfo;

use std::collections::BTreeMap;
use std::sync::Arc;

use dex_connectors::oidc::fake::{Behaviour, FakeProvider};
use dex_connectors::{
    BeginLogin, Callback, Connector, ConnectorError, Identity, Login, LoginRedirect, RedirectLogin,
    Registry, Scopes,
};
use dex_core::clock::ManualClock;
use dex_core::records::Blob;
use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1/dex/callback";
const STATE: &str = "iamastate";

/// A provider and the time it shares with the connector.
struct Upstream {
    provider: FakeProvider,
    clock: ManualClock,
}

impl Upstream {
    async fn start(behaviour: Behaviour) -> Self {
        let clock = ManualClock::at(crate::now());
        let behaviour = behaviour.clock(Arc::new(clock.clone()));
        Self {
            provider: FakeProvider::start(behaviour).await,
            clock,
        }
    }

    /// Opens a connector with these keys over the usual ones; `null` removes one.
    async fn try_open(&self, changes: Value) -> Result<Arc<dyn Connector>, ConnectorError> {
        let mut config = self.provider.connector_config(CALLBACK);
        let (Value::Object(members), Value::Object(changes)) = (&mut config, changes) else {
            panic!("not objects");
        };
        members.extend(changes);
        Registry::with_all()
            .open(
                "oidc",
                "under-test",
                config.to_string().as_bytes(),
                &crate::context_at(self.clock.clone()),
            )
            .await
    }

    async fn open(&self, changes: Value) -> Arc<dyn Connector> {
        self.try_open(changes).await.unwrap()
    }

    /// A whole login, with the fake's form of a browser.
    async fn login(&self, connector: &dyn Connector) -> Result<Identity, ConnectorError> {
        let redirect = begin(connector, offline()).await;
        let answer = self.provider.sign_in(&redirect.url);
        complete(connector, &redirect.connector_data, &answer).await
    }

    /// Why a login fails, with default configuration.
    async fn refusal(&self) -> String {
        let connector = self.open(json!({})).await;
        self.login(&*connector).await.unwrap_err().to_string()
    }
}

fn offline() -> Scopes {
    Scopes {
        offline_access: true,
        groups: false,
    }
}

fn redirect_login(connector: &dyn Connector) -> &dyn RedirectLogin {
    match connector.login() {
        Login::Redirect(login) => login,
        other => panic!("not a redirect connector: {other:?}"),
    }
}

async fn begin(connector: &dyn Connector, scopes: Scopes) -> LoginRedirect {
    redirect_login(connector)
        .begin(BeginLogin {
            scopes,
            callback_url: &CALLBACK.parse().unwrap(),
            state: STATE,
            login_hint: None,
        })
        .await
        .unwrap()
}

async fn complete(
    connector: &dyn Connector,
    connector_data: &Blob,
    parameters: &[(String, String)],
) -> Result<Identity, ConnectorError> {
    redirect_login(connector)
        .complete(Callback {
            scopes: offline(),
            callback_url: &CALLBACK.parse().unwrap(),
            state: STATE,
            connector_data,
            parameters,
            headers: &HeaderMap::new(),
        })
        .await
}

fn query(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

fn pairs(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
    parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
