//! The embedded themes: which name means which, and whether their colours can be read.

use super::*;

fn style_sheet(theme: &str) -> (StatusCode, String) {
    let pages = pages(|options| options.theme = theme.to_owned());
    let page = pages
        .asset(&Method::GET, "/theme/styles.css", &HeaderMap::new())
        .unwrap();
    (page.status, html(&page).to_owned())
}

#[test]
fn web_41_theme_names_choose_their_folder() {
    let light = style_sheet("light");
    let dark = style_sheet("dark");
    assert_eq!(light.0, StatusCode::OK);
    assert_ne!(light.1, dark.1);
    assert_eq!(style_sheet("coreos"), light);
    assert_eq!(style_sheet("tectonic"), light);
    assert_eq!(style_sheet(""), style_sheet("auto"));
    assert_eq!(style_sheet("nosuch").0, StatusCode::NOT_FOUND);
}

/// The `--dex-*` colours of a style sheet.
fn colours(css: &str) -> BTreeMap<&str, &str> {
    css.lines()
        .filter_map(|line| line.trim().strip_prefix("--dex-")?.split_once(": "))
        .map(|(name, value)| (name, value.trim_end_matches(';')))
        .filter(|(_, value)| value.starts_with('#'))
        .collect()
}

fn main_sheet() -> String {
    let page = pages(|_| ())
        .asset(&Method::GET, "/static/main.css", &HeaderMap::new())
        .unwrap();
    html(&page).to_owned()
}

#[test]
fn the_preferred_dark_is_the_fixed_dark_and_sets_every_colour() {
    let (auto, dark, main) = (style_sheet("auto").1, style_sheet("dark").1, main_sheet());
    assert!(auto.contains("@media (prefers-color-scheme: dark)"));
    assert_eq!(colours(&auto), colours(&dark));
    let names = |css| colours(css).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&dark), names(&main));
}

/// Web Content Accessibility Guidelines 2.2, relative luminance and contrast ratio.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| {
        let bytes = hex::decode(colour.trim_start_matches('#')).unwrap();
        let linear = |byte: u8| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(bytes[0]) + 0.7152 * linear(bytes[1]) + 0.0722 * linear(bytes[2])
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn text_and_controls_have_the_contrast_of_level_aa() {
    let (main, dark) = (main_sheet(), style_sheet("dark").1);
    for (theme, colours) in [("light", colours(&main)), ("dark", colours(&dark))] {
        for (text, background, least) in [
            ("fg", "surface", 4.5),
            ("fg", "bg", 4.5),
            ("fg-muted", "surface", 4.5),
            ("accent", "surface", 4.5),
            ("on-accent", "accent", 4.5),
            ("on-success", "success", 4.5),
            ("danger-fg", "danger-bg", 4.5),
            ("field-border", "surface", 3.0),
            ("danger", "surface", 3.0),
            ("accent", "bg", 3.0),
        ] {
            let ratio = contrast(colours[text], colours[background]);
            assert!(
                ratio >= least,
                "{theme}: {text} on {background}: {ratio:.2}"
            );
        }
    }
}

#[test]
fn every_icon_the_style_sheet_names_is_there() {
    let main = main_sheet();
    let icons: Vec<&str> = main
        .split("url(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(icons.len() > 14);
    for icon in icons {
        let page = pages(|_| ())
            .asset(&Method::GET, &format!("/static/{icon}"), &HeaderMap::new())
            .unwrap();
        assert_eq!(page.status, StatusCode::OK, "{icon}");
    }
}
