//! Finding the form to submit in a server's page. Only as much HTML as forms need; never fails, at worst finds nothing.

use url::form_urlencoded;

/// A form with its fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    action: String,
    fields: Vec<Field>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Field {
    name: String,
    value: String,
    kind: String,
    is_button: bool,
}

impl Form {
    /// Where it is submitted to, relative to the page; empty: the page itself.
    pub fn action(&self) -> &str {
        &self.action
    }

    fn asks_for_password(&self) -> bool {
        self.fields.iter().any(|field| field.kind == "password")
    }

    fn approves(&self) -> bool {
        self.fields.iter().any(Field::approves)
    }

    /// The body that a person sends who types `login` and `password`.
    fn sign_in(&self, login: &str, password: &str) -> String {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for field in self.fields.iter().filter(|field| !field.is_button) {
            let value = match field.kind.as_str() {
                "password" => password,
                "" | "text" | "email" => login,
                "checkbox" => continue,
                _ => &field.value,
            };
            body.append_pair(&field.name, value);
        }
        body.finish()
    }

    /// The body that a person sends who agrees.
    fn approve(&self) -> String {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for field in &self.fields {
            if !field.is_button || field.approves() {
                body.append_pair(&field.name, &field.value);
            }
        }
        body.finish()
    }
}

impl Field {
    fn approves(&self) -> bool {
        self.name == "approval" && self.value == "approve"
    }
}

/// What a page wants from the person.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Page {
    /// User name and password, to be sent to the first value.
    SignIn(Form),
    /// Consent.
    Approval(Form),
    /// Something else.
    Other,
}

impl Page {
    /// Reads a page.
    pub fn read(html: &str) -> Self {
        let mut forms = forms(html);
        if let Some(at) = forms.iter().position(Form::asks_for_password) {
            return Self::SignIn(forms.swap_remove(at));
        }
        match forms.iter().position(Form::approves) {
            Some(at) => Self::Approval(forms.swap_remove(at)),
            None => Self::Other,
        }
    }
}

/// What to send to `form.action()` to sign in.
pub fn sign_in(form: &Form, login: &str, password: &str) -> String {
    form.sign_in(login, password)
}

/// What to send to `form.action()` to agree.
pub fn approve(form: &Form) -> String {
    form.approve()
}

fn forms(html: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut current: Option<Form> = None;
    for tag in html.split('<').skip(1) {
        let (name, rest) = tag.split_at(
            tag.find(|c: char| c.is_ascii_whitespace() || c == '>')
                .unwrap_or(tag.len()),
        );
        match name.to_ascii_lowercase().as_str() {
            "form" => {
                forms.extend(current.take());
                let mut form = Form::default();
                for (name, value) in attributes(rest) {
                    if name == "action" {
                        form.action = value;
                    }
                }
                current = Some(form);
            }
            "/form" => forms.extend(current.take()),
            tag @ ("input" | "button") => {
                let Some(form) = &mut current else { continue };
                let field = field(rest, tag == "button");
                if !field.name.is_empty() {
                    form.fields.push(field);
                }
            }
            _ => {}
        }
    }
    forms.extend(current);
    forms
}

fn field(text: &str, is_button: bool) -> Field {
    let mut field = Field {
        is_button,
        ..Field::default()
    };
    for (name, value) in attributes(text) {
        match name.as_str() {
            "name" => field.name = value,
            "value" => field.value = value,
            "type" => field.kind = value.to_ascii_lowercase(),
            _ => {}
        }
    }
    field.is_button |= field.kind == "submit";
    field
}

/// The attributes up to the end of the tag. `<` inside a value does not occur: templates escape it.
fn attributes(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if text.is_empty() || text.starts_with('>') {
            return found;
        }
        let end = text
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let value;
        (value, text) = match rest.strip_prefix('=') {
            None => ("", rest),
            Some(rest) => value_of(rest.trim_start()),
        };
        if name.is_empty() && value.is_empty() {
            // Nothing that could be an attribute: step over one character, so that this ends.
            let mut characters = text.chars();
            characters.next();
            text = characters.as_str();
            continue;
        }
        found.push((name.to_ascii_lowercase(), unescape(value)));
    }
}

fn value_of(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    let end = text
        .find(|c: char| c.is_ascii_whitespace() || c == '>')
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Character references as templates write them.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let known = after.split_once(';').and_then(|(name, after)| {
            let character = match name {
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                "lt" => '<',
                "gt" => '>',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((character, after))
        });
        let (character, after) = known.unwrap_or(('&', after));
        plain.push(character);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_in_form_is_filled_in() {
        let html = r#"<html><form action="/search"><input name=q></form>
            <FORM method="post" action="/dex/auth/local/login?back=&amp;state=a&#43;b">
            <input type="hidden" name="csrf" value="&quot;x&quot;"><input tabindex="1" required id="login" name="login" type="text"/>
            <input name='password' type='password' disabled><input type=checkbox name=remember><button type="submit">Log in</button></FORM>"#;
        let Page::SignIn(form) = Page::read(html) else {
            panic!("not recognised");
        };
        assert_eq!(form.action(), "/dex/auth/local/login?back=&state=a+b");
        assert_eq!(
            sign_in(&form, "a@b", "p w"),
            "csrf=%22x%22&login=a%40b&password=p+w"
        );
    }

    #[test]
    fn consent_is_given_through_hidden_fields_or_a_button() {
        let two_forms = r#"<form method="post"><input type="hidden" name="req" value="r"/><input type="hidden" name="approval" value="rejected"></form>
            <form method="post"><input type="hidden" name="req" value="r"/><input type="hidden" name="approval" value="approve"><button type="submit">Grant</button></form>"#;
        let two_buttons = r#"<form action="x"><input type="hidden" name="req" value="r"><button name="approval" value="rejected">No</button><button name="approval" value="approve">Yes</button></form>"#;
        for html in [two_forms, two_buttons] {
            let Page::Approval(form) = Page::read(html) else {
                panic!("not recognised: {html}");
            };
            assert_eq!(approve(&form), "req=r&approval=approve");
        }
    }

    #[test]
    fn odd_text_ends() {
        for html in [
            "",
            "<",
            "<form",
            "<form =",
            "<form = = \"",
            "<form a='",
            "<form><input name",
            "<form ///=>",
            "<form \"\"=\"\">&#x110000;&;",
            "<form a=&#xffffffff; b=&amp>",
        ] {
            assert_eq!(Page::read(html), Page::Other, "{html}");
        }
        assert_eq!(unescape("&#65;&#x42;&amp;lt;&nope;&"), "AB&lt;&nope;&");
    }
}
