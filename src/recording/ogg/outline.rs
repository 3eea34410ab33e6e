//! What the pages of a recording say together: how far they are whole, how long the audio is, whose it is.

use super::{
    headers,
    page::{BEGIN_OF_STREAM, END_OF_STREAM, HEADER_BYTES, Page, seal},
};
use crate::{
    id::{CallId, RecordingId},
    recording::lifecycle::Tags,
};

/// Position of a page on which no packet ends (RFC 3533 6: -1).
const NO_POSITION: u64 = u64::MAX;

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
        let has_position = page.granule() != NO_POSITION || page.packets().next().is_some();
        let granule = if has_position { page.granule() } else { self.granule };
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
            _ if granule < self.granule => return Err(OutlineError::Granule),
            _ => {}
        }
        self.last_page_at = self.bytes;
        self.bytes += page.bytes().len() as u64;
        self.pages += 1;
        self.granule = granule;
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

    /// A page without a packet that ends the stream behind the good pages (RFC 3533 4: a nil page), for where the last
    /// of them cannot be written again.
    #[must_use]
    pub fn end_page(&self) -> [u8; HEADER_BYTES] {
        let mut page = [0; HEADER_BYTES];
        page[..5].copy_from_slice(b"OggS\0");
        page[5] = END_OF_STREAM;
        page[6..14].copy_from_slice(&NO_POSITION.to_le_bytes());
        page[14..18].copy_from_slice(&self.serial.to_le_bytes());
        page[18..22].copy_from_slice(&self.pages.to_le_bytes());
        seal(&mut page);
        page
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
