//! A real Chromium, driven over its driver's HTTP interface.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

/// A running browser with its driver; both end with it.
pub(crate) struct Chromium {
    pub(crate) page: Client,
    driver: Child,
}

impl Chromium {
    /// Starts Chromium at a phone's width, so that the smallest layout is the one that is clicked through.
    pub(crate) async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts (the test command installs it)");
        let output = BufReader::new(driver.stdout.take().unwrap());
        let port: u16 = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?
                    .1
                    .trim_end_matches('.')
                    .parse()
                    .ok()
            })
            .expect("chromedriver names its port");
        let capabilities = json!({
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--window-size=500,900", "--lang=en-US",
            ]},
        });
        let page = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        Self { page, driver }
    }

    /// Waits for an element and returns its text.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// Waits for an element.
    pub(crate) async fn find(&self, selector: &str) -> fantoccini::elements::Element {
        match self.page.wait().for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => {
                let url = self.page.current_url().await.map(|url| url.to_string());
                let source = self.page.source().await.unwrap_or_default();
                panic!("{selector} does not appear: {error}\nat {url:?}\n{source}");
            }
        }
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Keeps a picture of the page where `DEXD_SCREENSHOTS` says, for people to look at.
    pub(crate) async fn picture(&self, name: &str) {
        if let Some(directory) = std::env::var_os("DEXD_SCREENSHOTS") {
            let image = self.page.screenshot().await.unwrap();
            std::fs::write(PathBuf::from(directory).join(format!("{name}.png")), image).unwrap();
        }
    }

    pub(crate) async fn stop(self) {
        self.page.clone().close().await.unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
