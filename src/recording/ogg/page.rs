//! One Ogg page in place (RFC 3533 6): a checked view over received bytes.

use super::crc;

/// The page begins the stream.
pub const BEGIN_OF_STREAM: u8 = 0x02;
/// The page ends the stream.
pub const END_OF_STREAM: u8 = 0x04;
/// Bytes of a page header without its lacing values.
pub const HEADER_BYTES: usize = 27;
/// Largest page: header, 255 lacing values, 255 full segments.
pub const MAX_PAGE_BYTES: usize = HEADER_BYTES + 255 + 255 * 255;

const FLAGS_AT: usize = 5;
const CRC_AT: usize = 22;

/// Why bytes are not a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// More bytes are needed, or the file was cut here.
    #[error("the page is cut short")]
    Short,
    /// No capture pattern `OggS`, or another version.
    #[error("no Ogg page here")]
    Foreign,
    /// The checksum does not match.
    #[error("the page's checksum does not match")]
    Crc,
}

/// A page whose lengths and checksum were checked.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    bytes: &'a [u8],
    head: &'a [u8; HEADER_BYTES],
    lacing: &'a [u8],
    body: &'a [u8],
}

impl<'a> Page<'a> {
    /// The page at the start of `bytes`.
    ///
    /// # Errors
    /// [`PageError`]: a short one may become a page when more bytes follow.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PageError> {
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(PageError::Short)?;
        if !head.starts_with(b"OggS\0") {
            return Err(PageError::Foreign);
        }
        let body_at = HEADER_BYTES + usize::from(head[26]);
        let lacing = bytes.get(HEADER_BYTES..body_at).ok_or(PageError::Short)?;
        let body_bytes: usize = lacing.iter().copied().map(usize::from).sum();
        let body = bytes.get(body_at..body_at + body_bytes).ok_or(PageError::Short)?;
        let bytes = bytes.get(..body_at + body_bytes).ok_or(PageError::Short)?;
        let page = Self { bytes, head, lacing, body };
        if page.checksum() == page.word(CRC_AT) { Ok(page) } else { Err(PageError::Crc) }
    }

    /// Bytes of the whole page.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Header flags: [`BEGIN_OF_STREAM`], [`END_OF_STREAM`].
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.head[FLAGS_AT]
    }

    /// Samples of 48 kHz, pre-skip included, when the last packet of this page was decoded (RFC 7845 4).
    #[must_use]
    pub fn granule(&self) -> u64 {
        u64::from(self.word(6)) | u64::from(self.word(10)) << 32
    }

    /// Serial number of the stream.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.word(14)
    }

    /// Number of the page, 0-based.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.word(18)
    }

    /// The packets that end on this page. A packet that runs on to the next page is left out; ours never do.
    pub fn packets(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut body = self.body;
        self.lacing.split_inclusive(|&value| value < 255).filter_map(move |values| {
            let length = values.iter().copied().map(usize::from).sum();
            let (packet, rest) = body.split_at_checked(length)?;
            body = rest;
            values.last().is_some_and(|&last| last < 255).then_some(packet)
        })
    }

    /// A copy of the page that ends the stream, with its checksum.
    #[must_use]
    pub fn to_last(&self) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        if let Some(flags) = bytes.get_mut(FLAGS_AT) {
            *flags |= END_OF_STREAM;
        }
        seal(&mut bytes);
        bytes
    }

    fn word(&self, at: usize) -> u32 {
        self.head.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |&word| u32::from_le_bytes(word))
    }

    fn checksum(&self) -> u32 {
        let (before, rest) = self.bytes.split_at(CRC_AT);
        let after = rest.get(4..).unwrap_or_default();
        crc::update(crc::update(crc::update(0, before), &[0; 4]), after)
    }
}

/// Writes the checksum into a whole page.
pub(super) fn seal(page: &mut [u8]) {
    page[CRC_AT..CRC_AT + 4].fill(0);
    let checksum = crc::update(0, page);
    page[CRC_AT..CRC_AT + 4].copy_from_slice(&checksum.to_le_bytes());
}
