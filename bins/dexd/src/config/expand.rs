//! `$NAME` and `${NAME}` in the blocks where Dex expands them (compat: `config.md` §5.4; Go's `os.Expand`).

use serde_json::Value;

use crate::flags::Environment;

/// Expands every string below a mapping. Keys stay, and so does a list directly inside a list, as in Dex.
///
/// # Errors
/// When the block is neither a mapping nor null.
pub(super) fn expand_block(block: &mut Value, environment: &Environment) -> Result<(), String> {
    let kind = match block {
        Value::Null => return Ok(()),
        Value::Object(entries) => {
            for entry in entries.values_mut() {
                expand_value(entry, environment);
            }
            return Ok(());
        }
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
    };
    Err(format!(
        "unmarshal config for env expansion: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    ))
}

fn expand_value(value: &mut Value, environment: &Environment) {
    match value {
        Value::String(text) => *text = expand(text, environment),
        Value::Object(entries) => {
            for entry in entries.values_mut() {
                expand_value(entry, environment);
            }
        }
        Value::Array(items) => {
            for item in items.iter_mut().filter(|item| !item.is_array()) {
                expand_value(item, environment);
            }
        }
        _ => {}
    }
}

/// Expands one text.
pub(super) fn expand(text: &str, environment: &Environment) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, consumed) = variable(after);
        match name {
            Variable::None => expanded.push('$'),
            Variable::Dropped => {}
            Variable::Named(name) => {
                expanded.push_str(environment.get(name).unwrap_or_default());
            }
        }
        rest = after.get(consumed..).unwrap_or_default();
    }
    expanded.push_str(rest);
    expanded
}

enum Variable<'t> {
    /// Not a variable: the dollar sign stays.
    None,
    /// Bad syntax that is eaten.
    Dropped,
    Named(&'t str),
}

/// The variable that follows a dollar sign, and how many bytes belong to it.
fn variable(after: &str) -> (Variable<'_>, usize) {
    let Some(first) = after.bytes().next() else {
        return (Variable::None, 0);
    };
    if first == b'{' {
        return match after.find('}') {
            // `${` without an end: the two characters go, the rest stays.
            None => (Variable::Dropped, 1),
            Some(1) => (Variable::Dropped, 2),
            Some(end) => (
                after.get(1..end).map_or(Variable::Dropped, Variable::Named),
                end + 1,
            ),
        };
    }
    if matches!(
        first,
        b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-' | b'0'..=b'9'
    ) {
        return (after.get(..1).map_or(Variable::None, Variable::Named), 1);
    }
    let end = after
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(after.len());
    match after.get(..end) {
        Some(name) if !name.is_empty() => (Variable::Named(name), end),
        _ => (Variable::None, 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_expand_as_in_go() {
        let environment = Environment::from([("A", "1"), ("A_B", "two"), ("-x", "braced")]);
        for (text, expanded) in [
            ("$A", "1"),
            ("${A}", "1"),
            ("x$A/y", "x1/y"),
            ("$A_B.", "two."),
            ("${-x}", "braced"),
            ("$NONE", ""),
            ("pa$$word", "paword"),
            ("$2a$10$abc", "a0"),
            ("$1", ""),
            ("a$", "a$"),
            ("a$ b", "a$ b"),
            ("$é", "$é"),
            ("${}x", "x"),
            ("${A", "A"),
            ("a${", "a"),
            (r"\$A", r"\1"),
            ("$*$#$@$!$?$-", ""),
            ("100%", "100%"),
        ] {
            assert_eq!(expand(text, &environment), expanded, "{text}");
        }
    }

    #[test]
    fn values_expand_and_keys_do_not() {
        let environment = Environment::from([("A", "a\"b\\c: [")]);
        let mut block =
            json!({"$A": "$A", "list": ["$A", {"x": "$A"}, ["$A"]], "n": 1, "deep": {"s": "${A}"}});
        expand_block(&mut block, &environment).unwrap();
        let value = "a\"b\\c: [";
        assert_eq!(
            block,
            json!({"$A": value, "list": [value, {"x": value}, ["$A"]], "n": 1, "deep": {"s": value}})
        );
        assert!(expand_block(&mut json!(null), &environment).is_ok());
        assert!(expand_block(&mut json!(["$A"]), &environment).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[$\\{\\}a0-é]{0,20}|.*") {
            let _ = expand(&text, &Environment::default());
        }
    }
}
