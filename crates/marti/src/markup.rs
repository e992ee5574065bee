//! Text for XML documents that are written here.

use std::borrow::Cow;

use quick_xml::escape::escape;

/// Text for an element or an attribute: escaped, and with a mark in place of what XML cannot hold.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(is_impossible) {
        escape(text.replace(is_impossible, "\u{fffd}"))
    } else {
        escape(text)
    }
}

fn is_impossible(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_text() {
        assert_eq!(escaped("a<b>&\"\u{1}"), "a&lt;b&gt;&amp;&quot;\u{fffd}");
    }
}
