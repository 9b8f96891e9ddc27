//! The service at the root and nested in a router.

use crate::support::{Mount, TestProvider};

#[tokio::test]
async fn web_01_the_issuers_own_path_is_the_home_page() {
    for mount in [Mount::Root, Mount::Nested] {
        let op = TestProvider::usual().mount(mount).build().await;
        let mut browser = op.browser();
        let home = browser.get("/dex").await;
        assert_eq!(home.status, 200);
        assert!(
            home.unescaped()
                .contains("http://127.0.0.1:5556/dex/.well-known/openid-configuration")
        );
        let missing = browser.get("/dex/nothing").await;
        assert_eq!(
            (missing.status.as_u16(), missing.body.as_str()),
            (404, "404 page not found\n")
        );
    }
}

#[path = "../../examples/embed.rs"]
mod embed;

/// A step of the login in the example, over a real connection.
struct Visitor {
    client: reqwest::Client,
    origin: String,
    cookies: std::collections::BTreeMap<String, String>,
}

impl Visitor {
    async fn send(&mut self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let response = request
            .header("cookie", cookies.join("; "))
            .send()
            .await
            .unwrap();
        for line in response.headers().get_all("set-cookie") {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    /// Follows redirects to the end.
    async fn get(&mut self, url: &str) -> reqwest::Response {
        let mut response = self.send(self.client.get(url)).await;
        while let Some(location) = response.headers().get("location") {
            let location = location.to_str().unwrap().to_owned();
            let url = url::Url::parse(&self.origin)
                .unwrap()
                .join(&location)
                .unwrap();
            response = self.send(self.client.get(url)).await;
        }
        response
    }

    async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let response = self.send(self.client.post(url).form(form)).await;
        let Some(location) = response.headers().get("location") else {
            return response;
        };
        let location = location.to_str().unwrap().to_owned();
        let url = url::Url::parse(&self.origin)
            .unwrap()
            .join(&location)
            .unwrap();
        self.get(url.as_str()).await
    }
}

#[tokio::test]
async fn the_example_serves_its_own_routes_and_signs_people_in() {
    crate::support::keep_logging();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let application = embed::application(&origin).await.unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, application).await });
    let mut visitor = Visitor {
        client: plain_client(),
        origin: origin.clone(),
        cookies: std::collections::BTreeMap::new(),
    };
    let own = visitor.get(&origin).await.text().await.unwrap();
    assert_eq!(own, "Notes");
    let form = visitor
        .get(&format!(
            "{origin}/dex/auth?client_id=notes&redirect_uri={origin}/signed-in&response_type=code&scope=openid"
        ))
        .await;
    assert_eq!(form.status(), 200);
    let address = form.url().to_string();
    let consent = visitor
        .post(&address, &[("login", "jane"), ("password", "open sesame")])
        .await;
    let address = consent.url().to_string();
    assert!(address.contains("/dex/approval?"), "{address}");
    let done = visitor.post(&address, &[("approval", "approve")]).await;
    assert_eq!(done.text().await.unwrap(), "signed in");
    server.abort();
}

fn plain_client() -> reqwest::Client {
    // The provider of the TLS library is chosen by the application, even where no TLS is spoken.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}
