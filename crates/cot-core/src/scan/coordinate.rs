//! Whether an attribute value is a coordinate, without the cost of parsing every one.

use crate::header::Span;
use crate::text::Text;

/// Whether the value is a number from `-bound` to `bound`.
///
/// Blanks around the number are let through, as receivers do.
#[inline]
pub(super) fn in_range(bytes: &[u8], value: Span, bound: u32) -> bool {
    let Some(text) = bytes.get(value.range()) else {
        return false;
    };
    is_plainly_below(text, bound) || is_number_within(text, bound)
}

/// Recognises `-12.345` and the like. A number with one digit more than `bound` allows, or equal
/// to it, is left to the slow path.
#[inline]
fn is_plainly_below(text: &[u8], bound: u32) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (mut whole, mut at) = (0_u32, 0);
    while let Some(&digit @ b'0'..=b'9') = digits.get(at) {
        if at == 3 {
            return false;
        }
        whole = whole * 10 + u32::from(digit - b'0');
        at += 1;
    }
    let fraction = match digits.get(at..) {
        Some([b'.', fraction @ ..]) => fraction,
        Some([]) => &[],
        _ => return false,
    };
    at > 0 && whole < bound && fraction.iter().all(u8::is_ascii_digit)
}

#[cold]
#[inline(never)]
fn is_number_within(text: &[u8], bound: u32) -> bool {
    let text = core::str::from_utf8(text).unwrap_or_default();
    let number = Text::new(text).to_cow().trim_matches([' ', '\t', '\n', '\r']).parse::<f64>();
    // Neither NaN nor an infinity is within any range.
    number.is_ok_and(|number| number.abs() <= f64::from(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_latitude(text: &str) -> bool {
        in_range(text.as_bytes(), Span::new(0, text.len(), false), 90)
    }

    #[test]
    fn tells_coordinates_from_the_rest() {
        for good in
            ["0", "-0", "1.5", "89.999", "90", "-90.0", "+4", "1e1", " 0", "5.", ".5", "&#49;"]
        {
            assert!(is_latitude(good), "{good}");
        }
        for bad in ["", "-", ".", "90.0001", "-91", "NaN", "Infinity", "-inf", "1,5", "0x10", "1 2"]
        {
            assert!(!is_latitude(bad), "{bad}");
        }
    }
}
