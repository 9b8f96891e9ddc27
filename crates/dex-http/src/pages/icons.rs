//! Which icon a connector's button shows.

/// The class suffix for a connector type: the type itself if the style sheet knows it, else `other`.
///
/// Operators' style sheets hook into `dex-btn-icon--<type>`, so any type that can be a class name is passed through.
pub(super) fn icon_class(kind: &str) -> &str {
    let is_class_name = !kind.is_empty()
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_class_name { kind } else { "other" }
}
