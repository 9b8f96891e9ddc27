//! The example runs as it is, against the fake provider.

#[path = "../../examples/login_with_oidc.rs"]
#[expect(
    dead_code,
    reason = "`main` only reads the arguments that the test gives itself"
)]
mod login_with_oidc;

use dex_connectors::oidc::fake::{Behaviour, FakeProvider};
use http::{StatusCode, header};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_person_signs_in_to_the_example() {
    let provider = FakeProvider::start(Behaviour::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = format!("http://{}", listener.local_addr().unwrap());
    let issuer = provider.issuer();
    let server = tokio::task::LocalSet::new();
    server.spawn_local(async move {
        login_with_oidc::serve(listener, &issuer, "dexd", "upstream-secret")
            .await
            .unwrap();
    });
    server
        .run_until(async {
            let browser = crate::browser();
            let home = browser.get(&app).send().await.unwrap();
            assert!(home.text().await.unwrap().contains("/login"));

            let login = browser.get(format!("{app}/login")).send().await.unwrap();
            assert_eq!(login.status(), StatusCode::SEE_OTHER);
            let cookie = login.headers()[header::SET_COOKIE].to_str().unwrap();
            let cookie = cookie.split(';').next().unwrap().to_owned();
            let to_provider = location(&login);

            let back = browser.get(to_provider).send().await.unwrap();
            let callback = location(&back);

            let stranger = browser.get(&callback).send().await.unwrap();
            assert_eq!(stranger.status(), StatusCode::BAD_REQUEST);
            let done = browser
                .get(&callback)
                .header(header::COOKIE, &cookie)
                .send()
                .await
                .unwrap();
            assert_eq!(
                done.text().await.unwrap(),
                "Hello Jane Doe, you are upstream-42 at the provider.\n"
            );
            let again = browser
                .get(&callback)
                .header(header::COOKIE, &cookie)
                .send()
                .await
                .unwrap();
            assert_eq!(again.status(), StatusCode::BAD_REQUEST);
        })
        .await;
}

fn location(response: &reqwest::Response) -> String {
    response.headers()[header::LOCATION]
        .to_str()
        .unwrap()
        .to_owned()
}
