//! JSON as Go's `encoding/json` writes it, for documents whose bytes clients and tests know (compat: `tokens.md` §1.3).
//!
//! `<`, `>`, `&`, U+2028 and U+2029 are escaped, so that a document is safe inside HTML and scripts too.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Compact JSON. Use it for structs, lists and maps with text keys; they always have a JSON form.
pub fn to_vec(value: &impl Serialize) -> Vec<u8> {
    write(value, Escaping(CompactFormatter))
}

/// JSON indented by two spaces, without a newline at the end.
pub fn to_vec_pretty(value: &impl Serialize) -> Vec<u8> {
    write(value, Escaping(PrettyFormatter::new()))
}

fn write<F: Formatter>(value: &impl Serialize, formatter: F) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    value
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut text, formatter,
        ))
        .expect("structs, lists and maps with text keys always have a JSON form");
    text
}

/// Adds Go's escapes to another formatter.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = tail.chars();
            if let Some(special) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(special))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_could_end_a_script_is_escaped() {
        for (text, written) in [
            ("<a&b>", r#""\u003ca\u0026b\u003e""#),
            ("\u{2028}x\u{2029}", r#""\u2028x\u2029""#),
            ("it's a/b", r#""it's a/b""#),
            ("\"\\\n\u{8}\u{1}ä", r#""\"\\\n\b\u0001ä""#),
        ] {
            assert_eq!(String::from_utf8(to_vec(&text)).unwrap(), written);
        }
    }

    #[test]
    fn indented_documents_have_two_spaces_and_no_last_newline() {
        let document = json!({"keys": [{"a": "<"}, []]});
        assert_eq!(
            String::from_utf8(to_vec_pretty(&document)).unwrap(),
            "{\n  \"keys\": [\n    {\n      \"a\": \"\\u003c\"\n    },\n    []\n  ]\n}"
        );
    }

    proptest! {
        #[test]
        fn reading_gives_back_what_was_written(key in ".*", text in ".*", list in prop::collection::vec(".*", 0..4)) {
            let document = json!({ key: [json!(text), json!(list)] });
            prop_assert_eq!(serde_json::from_slice::<Value>(&to_vec(&document)).unwrap(), document.clone());
            prop_assert_eq!(serde_json::from_slice::<Value>(&to_vec_pretty(&document)).unwrap(), document);
        }
    }
}
