//! The page's scripts, styles and icon, built into the binary.
//!
//! htmx and its stream extension are one file on purpose: as two deferred scripts they race, and a page that loses
//! the race never opens its stream.

use axum::{
    extract::Query,
    http::{HeaderName, header},
    response::IntoResponse,
};
use std::sync::LazyLock;

const UI_JS: &str = concat!(
    include_str!("static/vendor/htmx-4.0.1.min.js"),
    "\n;",
    include_str!("static/vendor/hx-sse-4.0.1.min.js"),
    "\n;",
    include_str!("static/ringside.js"),
    "\n;",
    include_str!("static/desk.js"),
);

pub(super) const UI_CSS: &str = concat!(
    include_str!("static/vendor/pico-2.1.1.min.css"),
    "\n",
    include_str!("static/ringside.css"),
    include_str!("static/panel.css"),
    include_str!("static/calls.css"),
    include_str!("static/accounts.css"),
    include_str!("static/desk.css"),
    include_str!("static/reports.css"),
    include_str!("static/setup.css"),
    include_str!("static/route.css"),
    include_str!("static/directory.css")
);

const FAVICON: &str = include_str!("static/favicon.svg");

/// Address of the script bundle; it changes with its content, so a browser may keep it for ever.
pub(crate) static JS_URL: LazyLock<String> = LazyLock::new(|| versioned("/ui.js", UI_JS));

/// Address of the style bundle.
pub(crate) static CSS_URL: LazyLock<String> = LazyLock::new(|| versioned("/ui.css", UI_CSS));

/// The version in a bundle's address.
#[derive(serde::Deserialize)]
pub(crate) struct Version {
    v: Option<String>,
}

pub(crate) async fn js(Query(version): Query<Version>) -> impl IntoResponse {
    asset(UI_JS, "text/javascript; charset=utf-8", &version, &JS_URL)
}

pub(crate) async fn css(Query(version): Query<Version>) -> impl IntoResponse {
    asset(UI_CSS, "text/css; charset=utf-8", &version, &CSS_URL)
}

pub(crate) async fn favicon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=86400")], FAVICON)
}

type Asset = ([(HeaderName, &'static str); 2], &'static str);

/// Only the address with the right version is for ever: an old page must not pin a new file under its old name.
fn asset(content: &'static str, content_type: &'static str, version: &Version, url: &str) -> Asset {
    let current = version.v.as_deref().is_some_and(|v| url.ends_with(v) && v.len() == VERSION_CHARS);
    let cache = if current { "max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, cache)], content)
}

const VERSION_CHARS: usize = 16;

fn versioned(path: &str, content: &str) -> String {
    let hash = blake3::hash(content.as_bytes()).to_hex();
    format!("{path}?v={}", &hash[..VERSION_CHARS])
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    #[test]
    fn vendored_files_are_the_published_ones() {
        // SHA-256 of the files in the npm packages htmx.org 4.0.1 and @picocss/pico 2.1.1.
        for (file, hash) in [
            (
                include_str!("static/vendor/htmx-4.0.1.min.js"),
                "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
            ),
            (
                include_str!("static/vendor/hx-sse-4.0.1.min.js"),
                "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
            ),
            (
                include_str!("static/vendor/pico-2.1.1.min.css"),
                "fbc9a63fc9fc9f72d12fd7fc9806e11fa9f77ae4f9cad146b27003a1119ba3db",
            ),
        ] {
            let have: String = sha2::Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(have, hash);
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let ours = concat!(
            include_str!("static/ringside.js"),
            include_str!("static/ringside.css"),
            include_str!("static/panel.css"),
            include_str!("static/calls.css"),
            include_str!("static/accounts.css"),
            include_str!("static/desk.js"),
            include_str!("static/desk.css"),
            include_str!("static/reports.css"),
            include_str!("static/setup.css"),
            include_str!("static/route.css"),
            include_str!("static/directory.css")
        );
        assert!(!ours.contains("http:") && !ours.contains("https:") && !ours.contains("@import"));
    }
}
