//! The pages a person sees, and the files they need: templates, style sheets, scripts, icons, themes.
//!
//! | Method of [`Pages`] | Template | Page |
//! |---|---|---|
//! | [`login`](Pages::login) | `login.html` | choose a connector |
//! | [`password`](Pages::password) | `password.html` | user name and password |
//! | [`approval`](Pages::approval) | `approval.html` | consent |
//! | [`oob`](Pages::oob) | `oob.html` | a code to copy |
//! | [`repost`](Pages::repost) | `repost.html` | sends a cross-site POST once more from our own origin |
//! | [`error`](Pages::error) | `error.html` | an error, optionally with a way out |
//! | [`home`](Pages::home) | `home.html` | the issuer itself |
//! | [`asset`](Pages::asset) | – | `/static/…`, `/theme/…`, `/robots.txt` |
//!
//! Every page carries the headers of [`page_headers`], among them a policy that allows no inline script or style. All
//! visible words stand in the catalogue, so that a translation is a second catalogue and not a second set of templates.
//!
//! # A directory of your own (`frontend.dir`)
//! It has the shape of the embedded one: `templates/*.html`, `static/`, `themes/<theme>/` and `robots.txt`. Whatever a
//! directory leaves out comes from the embedded set, file by file. It is read once, at start.
//!
//! Templates are written in Jinja syntax; a template in Go syntax (as Dex has it) is left aside with a warning and the
//! embedded page is served in its place. A template may extend `layout.html` and override its blocks `title`, `head`
//! and `content`. Every value is escaped for HTML text and quoted attributes. Functions: `url(path)` (a link to an asset,
//! relative to the page), `issuer()`, `logo()`, `extra(key)` (also as a filter, `"key" | extra`) and `t(key, …)` (a text
//! of the catalogue). Variables, in every template: `req_path`, `lang`; beyond these:
//!
//! | Template | Variables |
//! |---|---|
//! | `login.html` | `connectors`: list of `id`, `name`, `type`, `icon`, `url` |
//! | `password.html` | `post_url`, `back_link`, `username`, `username_prompt`, `invalid`, `show_remember_me`, `remember_me_checked` |
//! | `approval.html` | `user`, `client`, `auth_req_id`, `scopes` (list of sentences) |
//! | `oob.html` | `code` |
//! | `repost.html` | `action`, `fields`: list of `name`, `value` |
//! | `error.html` | `err_type`, `err_msg`, `link_url`, `link_text` |
//! | `home.html` | `discovery_url` |
//!
//! An operator's template that fails while it is rendered is logged, and the embedded page is served instead: a typing
//! error in a footer does not lock everybody out.

mod assets;
mod catalogue;
mod go_syntax;
mod headers;
mod icons;
mod links;
mod options;
mod response;
mod templates;
mod views;

pub use headers::{FormEnd, page_headers};
pub(crate) use links::{is_local_path, percent_decoded};
pub use options::{FrontendOptions, PagesError};
pub use response::PageResponse;
pub use views::{
    ApprovalView, ConnectorChoice, ErrorLink, ErrorView, HomeView, LoginView, OobView,
    PasswordView, RememberMe, RepostView,
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use minijinja::{Value, context};

use assets::Assets;
use catalogue::Catalogue;
use links::{local_path, web_link};
use options::Frontend;
use templates::Templates;

/// All pages and assets of one issuer, compiled and ready.
///
/// Rendering needs nothing but the view; it neither waits nor fails: a page that cannot be rendered becomes a plain
/// 500 and a log line.
#[derive(Debug)]
pub struct Pages {
    templates: Templates,
    assets: Assets,
    catalogue: &'static Catalogue,
    /// What `img-src` must allow besides our own origin, because the configured logo lives there.
    logo_source: Option<String>,
}

impl Pages {
    /// Loads the embedded pages, overlaid file by file by `options.dir` where that is set.
    ///
    /// # Errors
    /// All of them start with `failed to load web static: `: the directory is missing, has nothing we know, cannot be
    /// read or is too large; a template cannot be compiled (the text names file and line).
    pub fn embedded(options: FrontendOptions) -> Result<Self, PagesError> {
        let frontend = Frontend::resolve(options)?;
        Ok(Self {
            assets: Assets::load(&frontend)?,
            logo_source: headers::image_source(&frontend.logo_url),
            catalogue: &catalogue::ENGLISH,
            templates: Templates::load(frontend, &catalogue::ENGLISH)?,
        })
    }

    /// The connector chooser (`/auth`), 200.
    pub fn login(&self, view: &LoginView<'_>) -> PageResponse {
        let mut connectors: Vec<&ConnectorChoice> = view.connectors.iter().collect();
        connectors.sort_by_cached_key(|choice| choice.name.to_lowercase());
        let connectors: Vec<Value> = connectors
            .into_iter()
            .map(|choice| {
                context! {
                    id => choice.id.as_str(),
                    name => choice.name.as_str(),
                    type => choice.kind.as_str(),
                    icon => icons::icon_class(&choice.kind),
                    url => local_path(&choice.url).unwrap_or_default(),
                }
            })
            .collect();
        self.page(
            "login.html",
            StatusCode::OK,
            view.request_path,
            FormEnd::NoForm,
            context! { connectors },
        )
    }

    /// The password form (`/auth/{connector}/login`): 200, or 401 after a failed attempt.
    pub fn password(&self, view: &PasswordView<'_>) -> PageResponse {
        let status = if view.invalid {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::OK
        };
        self.page(
            "password.html",
            status,
            view.request_path,
            FormEnd::Client,
            context! {
                post_url => local_path(view.post_url).unwrap_or_default(),
                back_link => view.back_link.and_then(local_path).unwrap_or_default(),
                username => view.username,
                username_prompt => view.username_prompt,
                invalid => view.invalid,
                show_remember_me => view.remember_me != RememberMe::Hidden,
                remember_me_checked => view.remember_me == RememberMe::Checked,
            },
        )
    }

    /// The consent page (`/approval`), 200.
    pub fn approval(&self, view: &ApprovalView<'_>) -> PageResponse {
        let mut scopes: Vec<String> = view
            .scopes
            .iter()
            .filter_map(|scope| self.catalogue.scope(scope, view.peer_names))
            .collect();
        scopes.sort();
        scopes.dedup();
        self.page(
            "approval.html",
            StatusCode::OK,
            view.request_path,
            FormEnd::Client,
            context! {
                user => view.user,
                client => view.client_name,
                auth_req_id => view.auth_request_id,
                scopes,
            },
        )
    }

    /// The end of a flow without a redirect URI (`urn:ietf:wg:oauth:2.0:oob`): a code to copy, 200.
    pub fn oob(&self, view: &OobView<'_>) -> PageResponse {
        self.page(
            "oob.html",
            StatusCode::OK,
            view.request_path,
            FormEnd::NoForm,
            context! { code => view.code },
        )
    }

    /// Sends the same form once more, now from our own origin, so that `SameSite=Lax` cookies come along; 200.
    pub fn repost(&self, view: &RepostView<'_>) -> PageResponse {
        let fields: Vec<Value> = view
            .fields
            .iter()
            .map(|(name, value)| context! { name, value })
            .collect();
        self.page(
            "repost.html",
            StatusCode::OK,
            view.request_path,
            FormEnd::Client,
            context! { action => local_path(view.action).unwrap_or_default(), fields },
        )
    }

    /// An error page. The message is a fixed public sentence, never an internal or upstream error text.
    pub fn error(&self, view: &ErrorView<'_>) -> PageResponse {
        let (link_url, link_text) = match view.link {
            Some(ErrorLink::StartAgain(href)) => (web_link(href), "error.start_again"),
            Some(ErrorLink::BackToApplication(href)) => {
                (web_link(href), "error.back_to_application")
            }
            None => (None, ""),
        };
        self.page(
            "error.html",
            view.status,
            view.request_path,
            FormEnd::NoForm,
            context! {
                err_type => self.catalogue.status(view.status),
                err_msg => view.message,
                link_url => link_url.unwrap_or_default(),
                link_text => self.catalogue.text(link_text).unwrap_or_default(),
            },
        )
    }

    /// The issuer's own address, 200.
    pub fn home(&self, view: &HomeView<'_>) -> PageResponse {
        self.page(
            "home.html",
            StatusCode::OK,
            view.request_path,
            FormEnd::NoForm,
            context! { discovery_url => web_link(view.discovery_url).unwrap_or_default() },
        )
    }

    /// A file below `/static` or `/theme`, or `/robots.txt`; `None` if `path` is none of these.
    ///
    /// `path` is the request path below the issuer's own, still percent-encoded. Unknown files are 404, methods other
    /// than GET and HEAD 405. Directories are not listed. One byte range and `If-None-Match` are honoured.
    pub fn asset(
        &self,
        method: &Method,
        path: &str,
        request_headers: &HeaderMap,
    ) -> Option<PageResponse> {
        self.assets.answer(method, path, request_headers)
    }

    fn page(
        &self,
        template: &'static str,
        status: StatusCode,
        request_path: &str,
        form_end: FormEnd,
        variables: Value,
    ) -> PageResponse {
        match self.templates.render(template, request_path, variables) {
            Ok(html) => PageResponse {
                status,
                headers: page_headers(form_end, self.logo_source.as_deref()),
                body: Bytes::from(html),
            },
            Err(error) => {
                tracing::error!(template, %error, "cannot render a page");
                PageResponse::plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    self.catalogue
                        .text("error.unrenderable")
                        .unwrap_or_default(),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
