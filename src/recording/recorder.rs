//! One recording being made: tap frames in, pages and peaks out. It knows no file.

use super::{
    FRAME_SAMPLES, GRANULES_PER_SAMPLE, StereoFrame,
    encoder::{EncodeError, Encoder, Encoding, MAX_PACKET_BYTES},
    lifecycle::Tags,
    ogg::{
        headers,
        page::{BEGIN_OF_STREAM, END_OF_STREAM},
        writer::PageWriter,
    },
    peaks::{self, Peaks},
    tap::Tap,
};
use crate::{audio::tap_frame::TapFrame, id::RecordingId, record::Pause};

/// Packets of 20 ms on one page: 1 s, the most that a cut costs.
const PAGE_PACKETS: usize = 50;
const SILENCE: StereoFrame = [0; 2 * FRAME_SAMPLES];

/// Bytes for the two files of a recording, to be written and cleared by the caller.
#[derive(Debug, Default)]
pub struct Output {
    /// Whole pages for the recording.
    pub pages: Vec<u8>,
    /// Groups for the peaks file.
    pub peaks: Vec<u8>,
}

impl Output {
    /// Room for a few seconds, so that steady recording allocates nothing.
    #[must_use]
    pub fn with_room() -> Self {
        Self { pages: Vec::with_capacity(32_768), peaks: Vec::with_capacity(1_024) }
    }

    /// Empties both, keeping their room.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.peaks.clear();
    }
}

/// A recording from its first header to its last page.
pub struct Recorder {
    tap: Tap,
    encoder: Encoder,
    pages: PageWriter,
    peaks: Peaks,
    packet: [u8; MAX_PACKET_BYTES],
    frames: u64,
}

impl Recorder {
    /// Begins a recording of the usual encoding; see [`Recorder::with`].
    ///
    /// # Errors
    /// If the encoder cannot be made.
    pub fn new(recording: RecordingId, tags: &Tags, out: &mut Output) -> Result<Self, EncodeError> {
        Self::with(Encoding::default(), recording, tags, out)
    }

    /// Begins a recording: both headers and the peaks header are put into `out`.
    ///
    /// # Errors
    /// If the encoder cannot be made.
    pub fn with(
        encoding: Encoding,
        recording: RecordingId,
        tags: &Tags,
        out: &mut Output,
    ) -> Result<Self, EncodeError> {
        let encoder = Encoder::new(encoding)?;
        // RFC 3533 6: the serial number only has to differ between streams of one file.
        let mut pages = PageWriter::new(crc32c::crc32c(recording.to_string().as_bytes()));
        pages.push(&headers::identification(encoder.pre_skip()), 0);
        pages.end_page(BEGIN_OF_STREAM, &mut out.pages);
        pages.push(&headers::comments(recording, tags), 0);
        pages.end_page(0, &mut out.pages);
        out.peaks.extend_from_slice(&peaks::HEADER);
        Ok(Self {
            tap: Tap::default(),
            encoder,
            pages,
            peaks: Peaks::default(),
            packet: [0; MAX_PACKET_BYTES],
            frames: 0,
        })
    }

    /// Whether the next tap frame may be pushed; otherwise call [`Recorder::step`] first.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.tap.is_ready()
    }

    /// Takes a tap frame.
    pub fn push(&mut self, frame: TapFrame) {
        self.tap.push(frame);
    }

    /// Encodes the next 20 ms if they are there, and tells whether they were. A page of 1 s comes out now and then.
    ///
    /// # Errors
    /// If the encoder fails; the recording should be closed.
    pub fn step(&mut self, out: &mut Output) -> Result<bool, EncodeError> {
        let Some(frame) = self.tap.next_frame() else { return Ok(false) };
        self.peaks.push(frame, &mut out.peaks);
        let length = self.encoder.encode(frame, &mut self.packet)?;
        self.put_packet(length, PAGE_PACKETS, out);
        Ok(true)
    }

    /// Ends the recording: the rest of the audio and the last page are put into `out`.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn finish(&mut self, out: &mut Output) -> Result<(), EncodeError> {
        while self.step(out)? {}
        if let Some(frame) = self.tap.last_frame() {
            self.peaks.push(frame, &mut out.peaks);
            let length = self.encoder.encode(frame, &mut self.packet)?;
            self.put_packet(length, usize::MAX, out);
        }
        self.peaks.finish(&mut out.peaks);
        // The encoder's look-ahead still holds the last 6.5 ms: silence pushes them out (RFC 7845 4.2).
        let end = self.tap.samples() * GRANULES_PER_SAMPLE + u64::from(self.encoder.pre_skip());
        while self.position() < end {
            let length = self.encoder.encode(&SILENCE, &mut self.packet)?;
            self.put_packet(length, usize::MAX, out);
        }
        // RFC 7845 4.4: the last page's position trims the padding.
        self.pages.trim(end);
        self.pages.end_page(END_OF_STREAM, &mut out.pages);
        Ok(())
    }

    /// Milliseconds of audio taken so far.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.tap.samples() / 8
    }

    /// Where it was paused.
    #[must_use]
    pub fn pauses(&self) -> Vec<Pause> {
        let pause = |&(at, length): &(u64, u64)| Pause { at_ms: at / 8, duration_ms: length / 8 };
        self.tap.pauses().iter().map(pause).collect()
    }

    /// Milliseconds of silence written for missing audio.
    #[must_use]
    pub fn gap_ms(&self) -> u64 {
        self.tap.gap_ms()
    }

    /// The page before is ended only when a packet needs a new one, so the last page never is empty.
    fn put_packet(&mut self, length: usize, page_packets: usize, out: &mut Output) {
        if self.pages.packets() >= page_packets || !self.pages.fits(length) {
            self.pages.end_page(0, &mut out.pages);
        }
        self.frames += 1;
        let position = self.position();
        self.pages.push(&self.packet[..length], position);
    }

    /// Samples of 48 kHz encoded so far, pre-skip included.
    fn position(&self) -> u64 {
        self.frames * FRAME_SAMPLES as u64 * GRANULES_PER_SAMPLE
    }
}
