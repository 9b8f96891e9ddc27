//! `frontend.dir`: what it replaces, what it may leave out, and how its faults are told.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;

fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) {
    let file = dir.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

fn load(dir: &Path) -> Result<Pages, PagesError> {
    Pages::embedded(FrontendOptions {
        issuer_path: "/dex".to_owned(),
        dir: Some(dir.to_path_buf()),
        ..FrontendOptions::default()
    })
}

fn file(pages: &Pages, path: &str) -> (StatusCode, String) {
    let page = pages.asset(&Method::GET, path, &HeaderMap::new()).unwrap();
    (page.status, html(&page).to_owned())
}

#[test]
fn web_42_whatever_a_directory_leaves_out_comes_from_the_embedded_set() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "templates/error.html",
        "<p>mine: {{ err_msg }}</p>",
    );
    write(dir.path(), "static/own.css", "own");
    let pages = load(dir.path()).unwrap();
    let error = pages.error(&error_view("<x>"));
    assert_eq!(html(&error), "<p>mine: &lt;x&gt;</p>");
    let home = pages.home(&HomeView {
        request_path: "/dex",
        discovery_url: "https://issuer.example/x",
    });
    assert!(html(&home).contains("Dex IdP"));
    assert_eq!(
        file(&pages, "/static/own.css"),
        (StatusCode::OK, "own".to_owned())
    );
    for embedded in ["/static/main.css", "/theme/styles.css", "/robots.txt"] {
        assert_eq!(file(&pages, embedded).0, StatusCode::OK, "{embedded}");
    }
}

#[test]
fn web_42_a_directory_that_is_missing_or_has_nothing_we_know_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "README", "nothing of ours");
    let missing = dir.path().join("missing");
    let not_a_directory = dir.path().join("README");
    for refused in [dir.path(), &missing, &not_a_directory] {
        let error = load(refused).unwrap_err().to_string();
        assert!(error.starts_with("failed to load web static: "), "{error}");
        assert!(error.contains(refused.to_str().unwrap()), "{error}");
    }
    for enough in ["static", "templates", "themes"] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(enough)).unwrap();
        load(dir.path()).unwrap();
    }
}

#[test]
fn a_template_that_does_not_compile_is_told_by_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "templates/login.html",
        "<p>\n{% if x %}\n{% fi %}\n",
    );
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with("failed to load web static: "), "{error}");
    assert!(error.contains("templates/login.html:3: "), "{error}");
}

#[test]
fn a_template_that_fails_while_rendering_gives_way_to_the_embedded_one() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "templates/error.html",
        "half a page {{ no_such.thing }}",
    );
    let lines = Lines::default();
    let page = lines.during(|| load(dir.path()).unwrap().error(&error_view("sentence")));
    assert!(html(&page).contains("<p role=\"alert\">sentence</p>"));
    assert!(!html(&page).contains("half a page"));
    assert!(lines.text().contains("error.html"), "{}", lines.text());
}

#[test]
fn a_template_in_go_syntax_is_left_aside_with_a_warning_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "templates/error.html",
        "{{ template \"header.html\" . }}<p>{{ .ErrMsg }}</p>",
    );
    write(
        dir.path(),
        "templates/header.html",
        "<title>{{ issuer }}</title>",
    );
    let lines = Lines::default();
    let page = lines.during(|| load(dir.path()).unwrap().error(&error_view("sentence")));
    assert!(html(&page).contains("<p role=\"alert\">sentence</p>"));
    for name in ["templates/error.html", "templates/header.html"] {
        assert!(lines.text().contains(name), "{}", lines.text());
    }
    assert!(lines.text().contains("WARN"), "{}", lines.text());
}

#[test]
fn an_own_template_has_the_functions_and_the_layout() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "templates/error.html",
        "{% extends \"layout.html\" %}{% block content %}{{ issuer() }}|{{ url(\"/theme/x\") }}|{{ url(logo()) }}|\
         {{ extra(\"support\") }}|{{ \"support\" | extra }}|{{ extra(\"none\") }}|{{ req_path }}|{% include \"part.html\" %}{% endblock %}",
    );
    write(dir.path(), "templates/part.html", "part");
    let pages = Pages::embedded(FrontendOptions {
        issuer_path: "/dex".to_owned(),
        issuer_name: "Acme".to_owned(),
        dir: Some(dir.path().to_path_buf()),
        extra: BTreeMap::from([("support".to_owned(), "<help>".to_owned())]),
        ..FrontendOptions::default()
    })
    .unwrap();
    let page = pages.error(&ErrorView {
        request_path: "/dex/auth/local/login",
        ..error_view("x")
    });
    assert!(
        html(&page).contains(
            "Acme|../../theme/x|../../theme/logo.png|&lt;help&gt;|&lt;help&gt;||/dex/auth/local/login|part"
        ),
        "{}",
        html(&page)
    );
    assert!(html(&page).contains("class=\"theme-body\""));
}

#[test]
fn a_theme_is_one_folder_and_never_a_way_out() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("frontend");
    write(&dir, "themes/own/styles.css", "own");
    write(&dir, "themes/own/fonts/a.woff2", "font");
    write(parent.path(), "styles.css", "outside");
    let with_theme = |theme: &str| {
        Pages::embedded(FrontendOptions {
            theme: theme.to_owned(),
            dir: Some(dir.clone()),
            ..FrontendOptions::default()
        })
        .unwrap()
    };
    let own = with_theme("own");
    assert_eq!(file(&own, "/theme/styles.css").1, "own");
    assert_eq!(file(&own, "/theme/fonts/a.woff2").1, "font");
    let logo = own.asset(&Method::GET, "/theme/logo.png", &HeaderMap::new());
    assert_eq!(logo.unwrap().status, StatusCode::OK, "the embedded one");
    for outside in ["../..", "..", ".", "../../", "own/../../.."] {
        let status = file(&with_theme(outside), "/theme/styles.css").0;
        assert_eq!(status, StatusCode::NOT_FOUND, "{outside}");
    }
}

#[test]
fn an_own_light_theme_is_used_when_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "themes/light/styles.css", "mine");
    let pages = load(dir.path()).unwrap();
    assert_eq!(file(&pages, "/theme/styles.css").1, "mine");
}

#[test]
fn hidden_files_are_not_served() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "static/.git/config", "secret");
    write(dir.path(), "static/.env", "secret");
    let pages = load(dir.path()).unwrap();
    for path in ["/static/.git/config", "/static/.env"] {
        assert_eq!(file(&pages, path).0, StatusCode::NOT_FOUND, "{path}");
    }
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let sink = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || sink.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
