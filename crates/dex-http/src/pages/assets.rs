//! Style sheets, scripts, images and `robots.txt`: held in memory, answered with validators.

mod embedded;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode};

use super::links::percent_decoded;
use super::options::{Frontend, PagesError};
use super::response::PageResponse;

/// Everything below `/static` and `/theme`, and `/robots.txt`, by path below the issuer (`static/main.css`).
#[derive(Debug)]
pub(super) struct Assets(BTreeMap<Cow<'static, str>, Asset>);

#[derive(Debug)]
struct Asset {
    content: Bytes,
    content_type: &'static str,
    etag: HeaderValue,
}

impl Assets {
    pub(super) fn load(frontend: &Frontend) -> Result<Self, PagesError> {
        let theme_folder = format!("themes/{}", frontend.theme);
        let own_theme = frontend
            .dir
            .as_ref()
            .filter(|dir| is_folder_name(&frontend.theme) && dir.join(&theme_folder).is_dir());
        let is_embedded = |folder: &str| {
            embedded::FILES
                .iter()
                .any(|(name, _)| below(name, folder).is_some())
        };
        // A theme of the operator's may be a style sheet only; the logo and the icon then are those of `light`.
        let base_theme = if own_theme.is_some() && !is_embedded(&theme_folder) {
            "themes/light"
        } else {
            &theme_folder
        };
        let mut assets = BTreeMap::new();
        for (name, content) in embedded::FILES {
            if let Some(path) = served_path(name, base_theme) {
                assets.insert(path, Asset::new(name, Bytes::from_static(content)));
            }
        }
        if let Some(dir) = &frontend.dir {
            let mut budget = MAX_TOTAL_BYTES;
            overlay(&mut assets, dir, "robots.txt", "robots.txt", &mut budget)?;
            overlay(&mut assets, dir, "static", "static", &mut budget)?;
            if own_theme.is_some() {
                overlay(&mut assets, dir, &theme_folder, "theme", &mut budget)?;
            }
        }
        Ok(Self(assets))
    }

    pub(super) fn answer(
        &self,
        method: &Method,
        path: &str,
        request_headers: &HeaderMap,
    ) -> Option<PageResponse> {
        let relative = path.strip_prefix('/')?;
        let area = relative.split('/').next()?;
        if !(matches!(area, "static" | "theme") || relative == "robots.txt") {
            return None;
        }
        if method != Method::GET && method != Method::HEAD {
            let mut answer =
                PageResponse::plain(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed");
            answer
                .headers
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(answer);
        }
        let asset = percent_decoded(relative).and_then(|name| self.0.get(name.as_ref()));
        Some(match asset {
            Some(asset) => asset.answer(method, request_headers),
            None => PageResponse::plain(StatusCode::NOT_FOUND, "404 page not found"),
        })
    }
}

impl Asset {
    fn new(name: &str, content: Bytes) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, &content);
        let short = digest.as_ref().get(..16).unwrap_or_default();
        Self {
            etag: HeaderValue::from_str(&format!("\"{}\"", hex::encode(short)))
                .expect("quoted hexadecimal digits are a header value"),
            content_type: content_type(name),
            content,
        }
    }

    fn answer(&self, method: &Method, request: &HeaderMap) -> PageResponse {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ETAG, self.etag.clone());
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=600"),
        );
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let mut answer = PageResponse {
            status: StatusCode::OK,
            headers,
            body: Bytes::new(),
        };
        if self.is_known_to(request) {
            answer.status = StatusCode::NOT_MODIFIED;
            return answer;
        }
        answer
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        answer
            .headers
            .insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if method == Method::HEAD {
            answer
                .headers
                .insert(CONTENT_LENGTH, HeaderValue::from(self.content.len()));
            return answer;
        }
        match self.requested_range(request) {
            Requested::Whole => answer.body = self.content.clone(),
            Requested::Part { first, last } => {
                answer.status = StatusCode::PARTIAL_CONTENT;
                answer.body = self.content.slice(first..=last);
                insert_content_range(
                    &mut answer.headers,
                    &format!("bytes {first}-{last}/{}", self.content.len()),
                );
            }
            Requested::Unsatisfiable => {
                answer.status = StatusCode::RANGE_NOT_SATISFIABLE;
                insert_content_range(
                    &mut answer.headers,
                    &format!("bytes */{}", self.content.len()),
                );
            }
        }
        answer
    }

    /// RFC 9110 §13.1.2: weak comparison against a list.
    fn is_known_to(&self, request: &HeaderMap) -> bool {
        let own = self.etag.as_bytes();
        request
            .get_all(IF_NONE_MATCH)
            .iter()
            .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == own)
    }

    /// RFC 9110 §14.1: one range of bytes; several are answered with the whole file, which is allowed.
    fn requested_range(&self, request: &HeaderMap) -> Requested {
        let condition_holds = request
            .get(IF_RANGE)
            .is_none_or(|validator| validator == self.etag);
        let range = request
            .get(RANGE)
            .filter(|_| condition_holds)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("bytes="))
            .and_then(|range| range.trim().split_once('-'));
        let Some((first, last)) = range else {
            return Requested::Whole;
        };
        let Some(end) = self.content.len().checked_sub(1) else {
            return Requested::Unsatisfiable;
        };
        match (position(first), position(last)) {
            (Position::At(first), Position::At(last)) if first <= last => {
                Requested::between(first, last, end)
            }
            (Position::At(first), Position::Open) => Requested::between(first, end, end),
            (Position::Open, Position::At(0)) => Requested::Unsatisfiable,
            (Position::Open, Position::At(length)) => {
                Requested::between((end + 1).saturating_sub(length), end, end)
            }
            _ => Requested::Whole,
        }
    }
}

enum Requested {
    Whole,
    /// Both inclusive and inside the content.
    Part {
        first: usize,
        last: usize,
    },
    Unsatisfiable,
}

impl Requested {
    fn between(first: usize, last: usize, end: usize) -> Self {
        if first > end {
            Self::Unsatisfiable
        } else {
            Self::Part {
                first,
                last: last.min(end),
            }
        }
    }
}

enum Position {
    Open,
    At(usize),
    Malformed,
}

fn position(digits: &str) -> Position {
    if digits.is_empty() {
        Position::Open
    } else if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number beyond the machine's is beyond the file's end as well.
        Position::At(digits.parse().unwrap_or(usize::MAX))
    } else {
        Position::Malformed
    }
}

fn insert_content_range(headers: &mut HeaderMap, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(CONTENT_RANGE, value);
    }
}

/// `static/x` stays, a file of the chosen theme becomes `theme/x`, other themes are not served.
fn served_path(name: &'static str, theme_folder: &str) -> Option<Cow<'static, str>> {
    match below(name, theme_folder) {
        Some(file) => Some(Cow::Owned(format!("theme/{file}"))),
        None if name.starts_with("themes/") => None,
        None => Some(Cow::Borrowed(name)),
    }
}

/// The rest of the name, if it is in the folder.
fn below<'a>(name: &'a str, folder: &str) -> Option<&'a str> {
    name.strip_prefix(folder)?.strip_prefix('/')
}

/// A theme is one folder directly below `themes/`, wherever its name comes from.
fn is_folder_name(theme: &str) -> bool {
    !theme.is_empty() && theme != "." && theme != ".." && !theme.contains(['/', '\\', '\0'])
}

/// Reads `from` below `dir`, a file or a folder with all it contains, over what is there as `to`.
fn overlay(
    assets: &mut BTreeMap<Cow<'static, str>, Asset>,
    dir: &Path,
    from: &str,
    to: &str,
    budget: &mut u64,
) -> Result<(), PagesError> {
    let mut open = vec![(dir.join(from), to.to_owned(), 0)];
    while let Some((file, name, depth)) = open.pop() {
        let unreadable = |source| PagesError::File {
            file: file.clone(),
            source,
        };
        let too_large = |limit| PagesError::TooLarge {
            file: file.clone(),
            limit,
        };
        let metadata = match std::fs::metadata(&file) {
            Ok(metadata) => metadata,
            Err(error) if depth == 0 && error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(error)),
        };
        if metadata.is_dir() {
            if depth >= MAX_DEPTH {
                return Err(too_large("folders are nested more than 8 deep"));
            }
            for entry in std::fs::read_dir(&file).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                // Names starting with a dot are an editor's, a version control's or a volume mount's own business.
                if let Some(child) = entry
                    .file_name()
                    .to_str()
                    .filter(|child| !child.starts_with('.'))
                {
                    open.push((entry.path(), format!("{name}/{child}"), depth + 1));
                }
            }
        } else if metadata.is_file() {
            *budget = budget
                .checked_sub(metadata.len())
                .ok_or_else(|| too_large("files together have more than 64 MiB"))?;
            let content = Bytes::from(std::fs::read(&file).map_err(unreadable)?);
            let asset = Asset::new(&name, content);
            assets.insert(Cow::Owned(name), asset);
        }
    }
    Ok(())
}

fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "xml" => "text/xml; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

const MAX_TOTAL_BYTES: u64 = 64 * 1024 * 1024;
const MAX_DEPTH: usize = 8;
