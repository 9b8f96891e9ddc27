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
