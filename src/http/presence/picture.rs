//! Pictures of the shows: SVG, one shape a show, so that nobody has to tell colours apart.

use super::words;
use crate::domain::Show;

/// How pictures look. All are drawn on a plate of their own, so that they can be read on any page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    /// A light plate with the shape and a word.
    Badge,
    /// The same for dark pages.
    Dark,
    /// The shape alone, on a small light plate.
    Icon,
}

impl Theme {
    pub(super) const ALL: [Self; 3] = [Self::Badge, Self::Dark, Self::Icon];

    /// Its name in a path.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Badge => "badge",
            Self::Dark => "dark",
            Self::Icon => "icon",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name)
    }

    /// The picture of `show`. All pictures of a theme have the same size, so that a page does not jump when it changes.
    pub(super) fn draw(self, show: Show) -> String {
        let (width, words) = (self.width(), words(show));
        let Paint { plate, edge, ink } = self.paint();
        let shape = shape(show, self.colour(show), plate);
        let mut picture = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"24\" viewBox=\"0 0 {width} 24\" \
             role=\"img\" aria-label=\"{words}\"><title>{words}</title>\
             <rect x=\".5\" y=\".5\" width=\"{}\" height=\"23\" rx=\"6\" fill=\"{plate}\" stroke=\"{edge}\"/>\
             <g transform=\"translate(3 3) scale(.75)\">{shape}</g>",
            width - 1
        );
        if self.has_words() {
            picture += &format!(
                "<text x=\"28\" y=\"16.5\" fill=\"{ink}\" font-size=\"13\" \
                 font-family=\"system-ui,Roboto,Helvetica,Arial,sans-serif\">{words}</text>"
            );
        }
        picture + "</svg>"
    }

    const fn has_words(self) -> bool {
        match self {
            Self::Badge | Self::Dark => true,
            Self::Icon => false,
        }
    }

    const fn width(self) -> u32 {
        if self.has_words() { 116 } else { 24 }
    }

    const fn paint(self) -> Paint {
        match self {
            Self::Badge | Self::Icon => Paint { plate: "#ffffff", edge: "#6e7781", ink: "#1f2328" },
            Self::Dark => Paint { plate: "#1f2328", edge: "#8c959f", ink: "#ffffff" },
        }
    }

    const fn colour(self, show: Show) -> &'static str {
        let (light, dark) = match show {
            Show::Chat => ("#0550ae", "#79c0ff"),
            Show::Available => ("#1a7f37", "#56d364"),
            Show::Dnd => ("#cf222e", "#ff7b72"),
            Show::Away => ("#8a5a00", "#e3b341"),
            Show::Xa => ("#6639ba", "#d2a8ff"),
            Show::Unavailable => ("#57606a", "#b1bac4"),
        };
        match self {
            Self::Badge | Self::Icon => light,
            Self::Dark => dark,
        }
    }
}

struct Paint {
    plate: &'static str,
    edge: &'static str,
    ink: &'static str,
}

/// A shape of 24 by 24 in `colour`, with what is cut out of it in that of the plate.
fn shape(show: Show, colour: &str, plate: &str) -> String {
    let filled = |path: &str| format!("<path fill=\"{colour}\" d=\"{path}\"/>");
    let line = |path: &str, colour: &str, width: &str| {
        format!(
            "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\" d=\"{path}\"/>"
        )
    };
    match show {
        // A speech bubble.
        Show::Chat => {
            filled("M4 2h16a3 3 0 0 1 3 3v9a3 3 0 0 1-3 3h-7l-6 6v-6H4a3 3 0 0 1-3-3V5a3 3 0 0 1 3-3z")
                + &line("M7 9.5h.01M12 9.5h.01M17 9.5h.01", plate, "3")
        }
        // A disc with a tick.
        Show::Available => filled("M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22z") + &line("M6.5 12.5l4 4 7-8", plate, "3"),
        // A stop sign with a bar.
        Show::Dnd => filled("M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9z") + &line("M7 12h10", plate, "4"),
        // A clock.
        Show::Away => line("M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19zM12 7v5.5l4 2", colour, "3"),
        // A moon.
        Show::Xa => filled("M22 14.5A11 11 0 1 1 9.5 2a9 9 0 0 0 12.5 12.5z"),
        // A cross.
        Show::Unavailable => line("M5 5l14 14M19 5L5 19", colour, "4.5"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use minidom::Element;

    use super::*;

    fn each() -> impl Iterator<Item = (Theme, Show)> {
        Theme::ALL.into_iter().flat_map(|theme| Show::ALL.map(|show| (theme, show)))
    }

    #[test]
    fn each_has_its_words_as_text() {
        for (theme, show) in each() {
            let picture: Element = theme.draw(show).parse().unwrap();
            assert!(picture.is("svg", "http://www.w3.org/2000/svg"));
            assert_eq!((picture.attr("role"), picture.attr("aria-label")), (Some("img"), Some(words(show))));
            let text = |name| picture.children().find(|child| child.name() == name).map(Element::text);
            assert_eq!(text("title").as_deref(), Some(words(show)));
            assert_eq!(text("text").is_some(), theme.has_words());
        }
    }

    #[test]
    fn nobody_has_to_tell_colours_apart() {
        for theme in Theme::ALL {
            let outlines = Show::ALL.map(|show| shape(show, "#000", "#fff"));
            assert_eq!(outlines.iter().collect::<BTreeSet<_>>().len(), 6, "{theme:?}");
            let sizes: BTreeSet<_> =
                Show::ALL.map(|show| theme.draw(show).split(" role").next().map(str::to_owned)).into();
            assert_eq!(sizes.len(), 1, "{theme:?}: a page jumps");
        }
    }

    /// The contrast of two colours (WCAG 2.2, "contrast ratio" and "relative luminance").
    fn contrast(one: &str, other: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_is_enough() {
        assert!(
            (contrast("#000000", "#ffffff") - 21.0).abs() < 0.001
                && (contrast("#777777", "#ffffff") - 4.48).abs() < 0.01
        );
        for (theme, show) in each() {
            let Paint { plate, edge, ink } = theme.paint();
            assert!(contrast(ink, plate) >= 4.5, "{theme:?}: text (WCAG 1.4.3)");
            assert!(contrast(edge, plate) >= 3.0, "{theme:?}: the plate's edge (WCAG 1.4.11)");
            assert!(contrast(theme.colour(show), plate) >= 4.5, "{theme:?} {show}");
        }
    }

    #[test]
    fn a_picture() {
        insta::assert_snapshot!(Theme::Icon.draw(Show::Unavailable), @r##"<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" role="img" aria-label="Offline"><title>Offline</title><rect x=".5" y=".5" width="23" height="23" rx="6" fill="#ffffff" stroke="#6e7781"/><g transform="translate(3 3) scale(.75)"><path fill="none" stroke="#57606a" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round" d="M5 5l14 14M19 5L5 19"/></g></svg>"##);
    }
}
