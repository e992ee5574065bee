//! Rows as they are sent: JSON in pieces, each of which is gone when it was sent.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::Body;
use crate::answer::{self, Answer};
use crate::budget::Room;
use crate::error::ApiError;

/// Bytes of a piece, unless a row alone has more. What is larger by far would not come from what was
/// used before: allocators ask the system for it, and keep more for themselves from then on.
const PIECE: usize = 32 << 10;

/// What stands where the rows go.
const PLACE: &str = "[]";

/// Rows of an answer.
#[derive(Debug, Default)]
pub(super) struct Listing {
    full: Vec<Bytes>,
    piece: Vec<u8>,
    /// The latest row.
    row: Vec<u8>,
    rows: usize,
    bytes: usize,
}

impl Listing {
    /// Adds a row, and gives its size; `None`, and nothing, when there would be more than `most`
    /// bytes. One row there may always be.
    pub(super) fn push(
        &mut self,
        row: &impl Serialize,
        most: usize,
    ) -> Result<Option<usize>, ApiError> {
        self.row.clear();
        serde_json::to_writer(&mut self.row, row).map_err(unserializable)?;
        let comma: &[u8] = if self.rows == 0 { b"" } else { b"," };
        let len = comma.len() + self.row.len();
        if self.rows > 0 && self.bytes + len > most {
            return Ok(None);
        }
        if self.piece.len() + len > self.piece.capacity() {
            let next = Vec::with_capacity(len.max(PIECE));
            self.full.push(std::mem::replace(&mut self.piece, next).into());
        }
        self.piece.extend_from_slice(comma);
        self.piece.extend_from_slice(&self.row);
        self.rows += 1;
        self.bytes += len;
        Ok(Some(len))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The answer: `around`, whose first list is empty, with the rows in that. `room` is held until
    /// it was sent, or nobody wants it any more.
    pub(super) fn into_answer(
        self,
        around: &impl Serialize,
        room: Room,
    ) -> Result<Answer, ApiError> {
        let around = serde_json::to_string(around).map_err(unserializable)?;
        let (head, tail) = around.split_once(PLACE).unwrap_or((&around, ""));
        let (head, tail) = (format!("{head}["), format!("]{tail}"));
        let len = (head.len() + self.bytes + tail.len()) as u64;
        let rows = self.full.into_iter().chain([self.piece.into()]);
        let parts = std::iter::once(head.into()).chain(rows).chain([tail.into()]);
        let parts = parts.filter(move |part: &Bytes| {
            let _ = &room;
            !part.is_empty()
        });
        Ok(answer::of(StatusCode::OK, answer::JSON, Body::parts(len, parts)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unserializable(error: serde_json::Error) -> ApiError {
    ApiError::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::budget::Budget;
    use crate::envelope::Envelope;

    async fn answered(rows: &[Value], most: usize) -> (usize, Value) {
        let mut listing = Listing::default();
        for row in rows {
            if listing.push(row, most).unwrap().is_none() {
                break;
            }
        }
        let len = listing.len();
        let room = Budget::new(0, 0).room(None);
        let answer = listing.into_answer(&Envelope::new("A", [(); 0], "[]"), room).unwrap();
        let announced = http_body::Body::size_hint(answer.body()).exact().unwrap();
        let whole = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole.len() as u64, announced);
        (len, serde_json::from_slice(&whole).unwrap())
    }

    #[tokio::test]
    async fn rows_of_any_size_are_in_the_answer_in_order() {
        for lens in [vec![], vec![0], vec![3 * PIECE, 1, 1, PIECE], vec![500; 1000]] {
            let rows: Vec<_> = lens.iter().map(|&len| json!({ "[]": "x".repeat(len) })).collect();
            let (len, answer) = answered(&rows, usize::MAX).await;
            assert_eq!(len, rows.len());
            let whole = json!({ "version": "3", "type": "A", "data": rows, "nodeId": "[]" });
            assert!(answer == whole, "{} rows", rows.len());
        }
    }

    #[tokio::test]
    async fn there_are_no_more_bytes_than_allowed_but_one_row() {
        // Of 6 bytes each, with a comma.
        let rows = vec![json!("abc"); 3];
        for (most, len) in [(0, 1), (10, 1), (11, 2), (16, 2), (17, 3)] {
            assert_eq!(answered(&rows, most).await.0, len, "{most}");
        }
    }
}
