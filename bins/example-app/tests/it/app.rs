//! The program under test, and a browser that is just good enough for it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use http::StatusCode;
use http::header::{COOKIE, LOCATION, SET_COOKIE};

/// The running program; it is killed when this is dropped.
pub(crate) struct App {
    pub(crate) url: String,
    child: Child,
}

impl App {
    pub(crate) fn start(issuer: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_example-app"))
            .args(["--listen", "127.0.0.1:0", "--issuer", issuer])
            .args(["--client-secret", "s3cret"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().into();
        Self { url, child }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Follows redirects between the program and the issuer and keeps the program's cookie.
pub(crate) struct Browser {
    http: reqwest::Client,
    app: String,
    pub(crate) cookie: Option<String>,
}

pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(app: &App) -> Self {
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            http,
            app: app.url.clone(),
            cookie: None,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let url = format!("{}{path}", self.app);
        self.follow(self.http.get(url)).await
    }

    pub(crate) async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let url = format!("{}{path}", self.app);
        self.follow(self.http.post(url).form(form)).await
    }

    async fn follow(&mut self, request: reqwest::RequestBuilder) -> Page {
        let mut request = request;
        for _ in 0..10 {
            if let Some(cookie) = &self.cookie {
                request = request.header(COOKIE, format!("example_app={cookie}"));
            }
            let response = request.send().await.unwrap();
            if let Some(set) = response.headers().get(SET_COOKIE) {
                let set = set.to_str().unwrap();
                assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
                let pair = set.split(';').next().unwrap();
                self.cookie = Some(pair.strip_prefix("example_app=").unwrap().into());
            }
            let Some(location) = response.headers().get(LOCATION) else {
                return Page {
                    status: response.status(),
                    headers: response.headers().clone(),
                    body: response.text().await.unwrap(),
                };
            };
            let next = response.url().join(location.to_str().unwrap()).unwrap();
            request = self.http.get(next);
        }
        unreachable!("redirected for ever");
    }
}

impl Page {
    /// The escaped text of the element with this id.
    pub(crate) fn element(&self, id: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("id=\"{id}\""))?;
        let (_, rest) = rest.split_once('>')?;
        rest.split_once("</").map(|(text, _)| text)
    }
}
