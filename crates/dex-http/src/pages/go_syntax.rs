//! Recognises templates written for Dex, whose language (Go's `html/template`) is not ours.

/// Whether the source has an action that only makes sense in Go's template language.
///
/// Jinja uses `{% … %}` for statements, so a keyword, a leading dot or a variable with `$` at the start of a `{{ … }}`, or
/// a lone `.Field` argument within it, gives a Go template away.
pub(super) fn is_go_template(source: &str) -> bool {
    actions(source).any(is_go_action)
}

fn actions(source: &str) -> impl Iterator<Item = &str> {
    source
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(action, _)| action)
}

fn is_go_action(action: &str) -> bool {
    let action = action
        .trim()
        .trim_start_matches('-')
        .trim_end_matches('-')
        .trim();
    let first = action.split_whitespace().next().unwrap_or_default();
    action.starts_with(['.', '$'])
        || action.starts_with("/*")
        || KEYWORDS.contains(&first)
        // Functions of ours that Jinja calls with parentheses.
        || matches!(action, "issuer" | "logo")
        || has_dotted_argument(action)
}

/// `url .ReqPath "x"`, `eq (len .Scopes) 0`: a field without an object before the dot, outside of quotes.
fn has_dotted_argument(action: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    let mut chars = action.chars().peekable();
    while let Some(current) = chars.next() {
        match quote {
            Some(open) if current == open => quote = None,
            Some(_) => {}
            None if matches!(current, '"' | '\'' | '`') => quote = Some(current),
            None => {
                let starts_field = chars.peek().is_some_and(char::is_ascii_uppercase);
                if current == '.' && starts_field && (before.is_whitespace() || before == '(') {
                    return true;
                }
            }
        }
        before = current;
    }
    false
}

const KEYWORDS: [&str; 10] = [
    "template", "define", "block", "if", "else", "range", "with", "end", "break", "continue",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_written_for_dex_are_recognised() {
        for go in [
            "{{ template \"header.html\" . }}",
            "{{template \"header.html\" .}}",
            "<p>{{ .ErrMsg }}</p>",
            "{{- .ErrMsg -}}",
            "{{ define \"x\" }}",
            "{{ if .Invalid }}a{{ else }}b{{ end }}",
            "{{ range $c := .Connectors }}",
            "{{ $x }}",
            "{{ url .ReqPath logo }}",
            "{{ eq (len .Scopes) 0 }}",
            "{{/* a comment */}}",
            "<title>{{ issuer }}</title>",
            "{{end}}",
        ] {
            assert!(is_go_template(go), "{go}");
        }
    }

    #[test]
    fn our_own_syntax_is_not_mistaken_for_it() {
        for jinja in [
            "",
            "<p>no action</p>",
            "{{ err_msg }}",
            "{{ issuer() }}",
            "{{ url(\"static/main.css\") }}",
            "{{ \"a\" if invalid else \"b\" }}",
            "{% if invalid %}{{ t(\"x\", prompt=username_prompt) }}{% endif %}",
            "{{ \"see .Net\" }}",
            "{{ connector.name }}",
            "{{ \"key\" | extra }}",
            "{{ unclosed",
            "{# {{ comment #}",
        ] {
            assert!(!is_go_template(jinja), "{jinja}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_asked_about(source in ".{0,200}") {
            let _ = is_go_template(&source);
        }
    }
}
