//! Rewrites an event that other readers would end elsewhere.

use crate::header::{Token, Tokens};
use crate::work;

/// Writes `text`, a validated event, so that `</event>` occurs in it as the last eight bytes and
/// nowhere else: comments and instructions are dropped, CDATA sections become escaped text, the
/// root gets an ordinary end tag. Everything else is copied byte for byte.
///
/// Returns `false` when the result would be longer than `limit` bytes; nothing of use is in
/// `out` then. `out` never grows past `limit` by more than one piece of the event.
///
/// The result has to be scanned: dropping what stood between two pieces of text joins them.
pub(crate) fn mend(text: &str, limit: usize, out: &mut Vec<u8>) -> bool {
    work::looked_at(text.len());
    out.clear();
    let mut tokens = Tokens::new(text, 0);
    let mut depth = 0_usize;
    let mut from = 0;
    while let Some(token) = tokens.next() {
        let piece = text.as_bytes().get(from..tokens.at()).unwrap_or_default();
        from = tokens.at();
        match token {
            Token::Start { empty, .. } => {
                if empty && depth == 0 {
                    out.extend_from_slice(piece.strip_suffix(b"/>").unwrap_or(piece));
                    out.extend_from_slice(b"></event>");
                } else {
                    out.extend_from_slice(piece);
                }
                depth += usize::from(!empty);
            }
            Token::End => {
                depth = depth.saturating_sub(1);
                out.extend_from_slice(if depth == 0 { b"</event>" } else { piece });
            }
            Token::Text => out.extend_from_slice(piece),
            Token::Cdata(range) => escape(text.as_bytes().get(range).unwrap_or_default(), out),
            Token::Other => {}
        }
        if out.len() > limit {
            return false;
        }
        if depth == 0 {
            break;
        }
    }
    true
}

/// Writes character data so that it may stand outside a CDATA section.
fn escape(mut data: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = data.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&')) {
        let (plain, rest) = data.split_at(at);
        out.extend_from_slice(plain);
        let (name, rest): (&[u8], _) = match rest {
            [b'<', rest @ ..] => (b"&lt;", rest),
            [b'>', rest @ ..] => (b"&gt;", rest),
            [_, rest @ ..] => (b"&amp;", rest),
            [] => return,
        };
        out.extend_from_slice(name);
        data = rest;
    }
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        let mut out = Vec::new();
        assert!(mend(text, 1 << 20, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rewrites_only_what_misleads() {
        assert_eq!(mended("<event a='1'/>"), "<event a='1'></event>");
        assert_eq!(mended("<event a='1' />"), "<event a='1' ></event>");
        assert_eq!(mended("<event><b /> x &lt; </event \n>"), "<event><b /> x &lt; </event>");
        assert_eq!(
            mended("<event><!-- </event> --><?p </event>?><a><![CDATA[ </event>&]]]]></a></event>"),
            "<event><a> &lt;/event&gt;&amp;]]</a></event>"
        );
    }

    #[test]
    fn stops_at_the_limit() {
        let text = format!("<event><![CDATA[{}]]></event>", "&".repeat(100));
        assert!(!mend(&text, 200, &mut Vec::new()));
    }
}
