//! What the pages of a recording say together: how far they are whole, how long the audio is, whose it is.

use super::{
    headers,
    page::{BEGIN_OF_STREAM, END_OF_STREAM, Page},
};
use crate::{
    id::{CallId, RecordingId},
    recording::lifecycle::Tags,
};

/// Why a page does not continue a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutlineError {
    /// The first page is not the identification header of two mono Opus streams.
    #[error("not a recording of two mono Opus streams")]
    Identification,
    /// The second page is not a comment header.
    #[error("no comment header")]
    Comments,
    /// Another stream, or a page is missing or doubled.
    #[error("a page is missing or out of order")]
    Order,
    /// The position goes backwards.
    #[error("the position goes backwards")]
    Granule,
}

/// The pages seen so far, all of them good.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    serial: u32,
    pages: u32,
    bytes: u64,
    last_page_at: u64,
    pre_skip: u64,
    granule: u64,
    call: Option<CallId>,
    tags: Option<(Option<RecordingId>, Tags)>,
    ended: bool,
}

impl Outline {
    /// Adds the next page.
    ///
    /// # Errors
    /// If the page does not continue the recording; the outline stays as it was.
    pub fn add(&mut self, page: &Page<'_>) -> Result<(), OutlineError> {
        match self.pages {
            0 => {
                let head = page.packets().next().and_then(headers::pre_skip);
                let pre_skip = head.filter(|_| page.flags() & BEGIN_OF_STREAM != 0);
                self.pre_skip = pre_skip.ok_or(OutlineError::Identification)?.into();
                self.serial = page.serial();
            }
            _ if self.ended || page.serial() != self.serial || page.sequence() != self.pages => {
                return Err(OutlineError::Order);
            }
            1 => {
                let packet = page.packets().next().ok_or(OutlineError::Comments)?;
                let call = headers::comment(packet, "CALL_ID").ok_or(OutlineError::Comments)?;
                self.call = call.parse().ok();
                self.tags = headers::tags(packet);
            }
            _ if page.granule() < self.granule => return Err(OutlineError::Granule),
            _ => {}
        }
        self.last_page_at = self.bytes;
        self.bytes += page.bytes().len() as u64;
        self.pages += 1;
        self.granule = page.granule();
        self.ended = page.flags() & END_OF_STREAM != 0;
        Ok(())
    }

    /// Bytes of the good pages from the start of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the last good page begins, in bytes.
    #[must_use]
    pub fn last_page_at(&self) -> u64 {
        self.last_page_at
    }

    /// Whether there is any audio: both headers and at least one page more.
    #[must_use]
    pub fn has_audio(&self) -> bool {
        self.pages > 2
    }

    /// Whether the last good page ends the stream.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Milliseconds that a player plays.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.granule.saturating_sub(self.pre_skip) / 48
    }

    /// All that the recording says of itself, its own id among it; `None` if it does not name its call and time.
    #[must_use]
    pub fn tags(&self) -> Option<&(Option<RecordingId>, Tags)> {
        self.tags.as_ref()
    }

    /// The call that the recording says it is of.
    #[must_use]
    pub fn call(&self) -> Option<CallId> {
        self.call
    }
}
