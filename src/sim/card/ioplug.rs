//! The simulated card as libasound sees it: an external I/O plugin (`alsa/pcm_ioplug.h`, protocol 1.0.2) whose code is
//! in the program itself.
//!
//! libasound owns the mapped areas; `transfer` moves frames between them and the card's rings, as DMA would.
#![allow(unsafe_code)]

use super::{
    bus::{Bus, Refusal},
    registry,
    stream::{Direction, Stream, Xrun},
};
use alsa_sys::{snd_config_t, snd_pcm_sframes_t, snd_pcm_sw_params_t, snd_pcm_t, snd_pcm_uframes_t};
use libc::{c_char, c_int, c_long, c_uint, c_ushort, c_void, pollfd};
use std::{ffi::CStr, ptr, sync::Arc};

const VERSION: c_uint = 0x01_0002;
const FLAG_MONOTONIC: c_uint = 1 << 1;
const STREAM_PLAYBACK: c_int = 0;
const ACCESS_MMAP_INTERLEAVED: c_uint = 0;
const ACCESS_RW_INTERLEAVED: c_uint = 3;
const FORMAT_S16_LE: c_uint = 2;
const BYTES_PER_SAMPLE: c_uint = 2;
const RATE_HZ: c_uint = 8000;

/// Longest period: a quarter of a second.
const MAX_PERIOD_FRAMES: c_uint = 2000;
const MAX_PERIODS: c_uint = 16;

// `enum snd_pcm_ioplug_constraint` (SND_PCM_IOPLUG_HW_*).
const HW_ACCESS: c_int = 0;
const HW_FORMAT: c_int = 1;
const HW_CHANNELS: c_int = 2;
const HW_RATE: c_int = 3;
const HW_PERIOD_BYTES: c_int = 4;
const HW_BUFFER_BYTES: c_int = 5;
const HW_PERIODS: c_int = 6;

/// `snd_pcm_channel_area_t`; `first` and `step` are in bits.
#[repr(C)]
struct Area {
    addr: *mut c_void,
    first: c_uint,
    step: c_uint,
}

/// `snd_pcm_ioplug_t`.
#[repr(C)]
struct Io {
    version: c_uint,
    name: *const c_char,
    flags: c_uint,
    poll_fd: c_int,
    poll_events: c_uint,
    mmap_rw: c_uint,
    callback: *const Callbacks,
    private_data: *mut c_void,
    pcm: *mut snd_pcm_t,
    stream: c_int,
    state: c_int,
    appl_ptr: snd_pcm_uframes_t,
    hw_ptr: snd_pcm_uframes_t,
    nonblock: c_int,
    access: c_int,
    format: c_int,
    channels: c_uint,
    rate: c_uint,
    period_size: snd_pcm_uframes_t,
    buffer_size: snd_pcm_uframes_t,
}

type Plain = unsafe extern "C" fn(*mut Io) -> c_int;

/// `snd_pcm_ioplug_callback_t`; the callbacks we leave out are null and never called.
#[repr(C)]
struct Callbacks {
    start: Plain,
    stop: Plain,
    pointer: unsafe extern "C" fn(*mut Io) -> snd_pcm_sframes_t,
    transfer:
        unsafe extern "C" fn(*mut Io, *const Area, snd_pcm_uframes_t, snd_pcm_uframes_t) -> snd_pcm_sframes_t,
    close: Plain,
    hw_params: unsafe extern "C" fn(*mut Io, *mut c_void) -> c_int,
    hw_free: Option<Plain>,
    sw_params: unsafe extern "C" fn(*mut Io, *mut snd_pcm_sw_params_t) -> c_int,
    prepare: Plain,
    drain: Option<Plain>,
    pause: Option<Plain>,
    resume: Option<Plain>,
    poll_descriptors_count: Option<Plain>,
    poll_descriptors: Option<Plain>,
    poll_revents: unsafe extern "C" fn(*mut Io, *mut pollfd, c_uint, *mut c_ushort) -> c_int,
    dump: Option<Plain>,
    delay: Option<Plain>,
    query_chmaps: Option<Plain>,
    get_chmap: Option<Plain>,
    set_chmap: Option<Plain>,
}

static CALLBACKS: Callbacks = Callbacks {
    start,
    stop,
    pointer,
    transfer,
    close,
    hw_params,
    hw_free: None,
    sw_params,
    prepare,
    drain: None,
    pause: None,
    resume: None,
    poll_descriptors_count: None,
    poll_descriptors: None,
    poll_revents,
    dump: None,
    delay: None,
    query_chmaps: None,
    get_chmap: None,
    set_chmap: None,
};

// In libasound, which the `alsa` crate links.
unsafe extern "C" {
    fn snd_pcm_ioplug_create(io: *mut Io, name: *const c_char, stream: c_int, mode: c_int) -> c_int;
    fn snd_pcm_ioplug_set_param_minmax(io: *mut Io, what: c_int, min: c_uint, max: c_uint) -> c_int;
    fn snd_pcm_ioplug_set_param_list(io: *mut Io, what: c_int, count: c_uint, list: *const c_uint) -> c_int;
}

/// What `private_data` points to: one stream of one card, open.
struct Plug {
    bus: Arc<Bus>,
    direction: Direction,
}

impl Plug {
    fn serve<T>(&self, act: impl FnOnce(&mut Stream) -> Result<T, Xrun>) -> Result<T, c_int> {
        self.bus.serve(self.direction, act).map_err(|refusal| match refusal {
            Refusal::Gone => -libc::ENODEV,
            Refusal::Xrun => -libc::EPIPE,
        })
    }

    /// For callbacks that answer 0 or a negative error.
    fn order(&self, act: impl FnOnce(&mut Stream)) -> c_int {
        let done = self.serve(|stream| {
            act(stream);
            Ok(0)
        });
        done.unwrap_or_else(|error| error)
    }
}

/// # Safety
/// `io` is the structure that `open_stream` made, and its `close` has not been called.
unsafe fn plug<'a>(io: *mut Io) -> &'a Plug {
    // SAFETY: the pointer came from `Box::into_raw` in `open_stream` and is freed only in `close`.
    unsafe { &*(*io).private_data.cast::<Plug>() }
}

unsafe extern "C" fn start(io: *mut Io) -> c_int {
    // SAFETY: libasound passes the structure we gave it.
    unsafe { plug(io) }.order(Stream::start)
}

unsafe extern "C" fn stop(io: *mut Io) -> c_int {
    // SAFETY: as in `start`.
    unsafe { plug(io) }.order(Stream::stop)
}

unsafe extern "C" fn prepare(io: *mut Io) -> c_int {
    // SAFETY: as in `start`.
    unsafe { plug(io) }.order(Stream::prepare)
}

unsafe extern "C" fn hw_params(io: *mut Io, _params: *mut c_void) -> c_int {
    // SAFETY: as in `start`; libasound filled `buffer_size` before this call.
    let (plug, buffer_frames) = unsafe { (plug(io), (*io).buffer_size) };
    plug.order(|stream| stream.set_buffer(buffer_frames))
}

unsafe extern "C" fn sw_params(io: *mut Io, params: *mut snd_pcm_sw_params_t) -> c_int {
    let mut avail_min: snd_pcm_uframes_t = 1;
    // SAFETY: `params` is the container being applied; libasound only reads it here.
    let read = unsafe { alsa_sys::snd_pcm_sw_params_get_avail_min(params, &raw mut avail_min) };
    if read < 0 {
        return read;
    }
    // SAFETY: as in `start`.
    unsafe { plug(io) }.order(|stream| stream.set_avail_min(avail_min))
}

unsafe extern "C" fn pointer(io: *mut Io) -> snd_pcm_sframes_t {
    // SAFETY: as in `start`; `appl_ptr` is written only by the thread that is calling us.
    let (plug, application) = unsafe { (plug(io), (*io).appl_ptr) };
    match plug.serve(|stream| stream.pointer(application)) {
        Ok(position) => position as snd_pcm_sframes_t, // less than MAX_PERIOD_FRAMES × MAX_PERIODS
        Err(error) => c_long::from(error),
    }
}

unsafe extern "C" fn transfer(
    io: *mut Io,
    areas: *const Area,
    offset: snd_pcm_uframes_t,
    frames: snd_pcm_uframes_t,
) -> snd_pcm_sframes_t {
    // SAFETY: as in `start`.
    let (plug, application) = unsafe { (plug(io), (*io).appl_ptr) };
    let slots = plug.bus.slots;
    // SAFETY: the access is interleaved and the format 16 bits, so the area of channel 0 begins a block of
    // `buffer_size` frames that nobody else touches during the call; `offset + frames` is within it.
    let samples = unsafe {
        let first = (*areas).addr.cast::<i16>().add(offset as usize * slots);
        std::slice::from_raw_parts_mut(first, frames as usize * slots)
    };
    let moved = plug.serve(|stream| match plug.direction {
        Direction::Playback => stream.write(samples),
        Direction::Capture => stream.read(application, offset, samples),
    });
    match moved {
        Ok(()) => frames as snd_pcm_sframes_t, // at most the buffer
        Err(error) => c_long::from(error),
    }
}

unsafe extern "C" fn poll_revents(
    io: *mut Io,
    fds: *mut pollfd,
    count: c_uint,
    revents: *mut c_ushort,
) -> c_int {
    // SAFETY: as in `start`; libasound hands `count` descriptors and a place for the answer.
    let (plug, hung_up) =
        unsafe { (plug(io), count > 0 && (*fds).revents & (libc::POLLHUP | libc::POLLERR) != 0) };
    // SAFETY: as above.
    let application = unsafe { (*io).appl_ptr };
    let event = match (plug.direction, plug.serve(|stream| ready_for(stream, application))) {
        _ if hung_up => libc::POLLERR,
        (_, Err(_)) => libc::POLLERR,
        (_, Ok(false)) => 0,
        (Direction::Playback, Ok(true)) => libc::POLLOUT,
        (Direction::Capture, Ok(true)) => libc::POLLIN,
    };
    // SAFETY: as above.
    unsafe { *revents = event.unsigned_abs() };
    0
}

fn ready_for(stream: &mut Stream, application: u64) -> Result<bool, Xrun> {
    stream.pointer(application)?;
    Ok(stream.is_ready())
}

unsafe extern "C" fn close(io: *mut Io) -> c_int {
    // SAFETY: both boxes were leaked in `open_stream`; libasound calls this once, as the last callback, and does not
    // touch `io` afterwards.
    let plug = unsafe {
        let plug = Box::from_raw((*io).private_data.cast::<Plug>());
        drop(Box::from_raw(io));
        plug
    };
    plug.bus.close(plug.direction);
    0
}

/// Opens one direction of a card for libasound.
fn open_stream(
    bus: Arc<Bus>,
    name: *const c_char,
    stream: c_int,
    mode: c_int,
) -> Result<*mut snd_pcm_t, c_int> {
    let direction = if stream == STREAM_PLAYBACK { Direction::Playback } else { Direction::Capture };
    match bus.serve(direction, |stream| Ok(stream.open())) {
        Ok(true) => {}
        Ok(false) => return Err(-libc::EBUSY),
        Err(_) => return Err(-libc::ENODEV),
    }
    let (poll_fd, slots) = (bus.poll_fd(direction), bus.slots as c_uint); // at most MAX_SLOTS
    let plug = Box::into_raw(Box::new(Plug { bus, direction }));
    let io = Box::into_raw(Box::new(Io {
        version: VERSION,
        name: c"ringside simulated card".as_ptr(),
        flags: FLAG_MONOTONIC,
        poll_fd,
        poll_events: libc::POLLIN.unsigned_abs().into(),
        mmap_rw: 0,
        callback: &raw const CALLBACKS,
        private_data: plug.cast(),
        pcm: ptr::null_mut(),
        stream,
        state: 0,
        appl_ptr: 0,
        hw_ptr: 0,
        nonblock: 0,
        access: 0,
        format: 0,
        channels: 0,
        rate: 0,
        period_size: 0,
        buffer_size: 0,
    }));
    // SAFETY: `io` is whole and stays where it is until `close`; `name` is libasound's.
    unsafe {
        let created = snd_pcm_ioplug_create(io, name, stream, mode);
        if created < 0 {
            close(io);
            return Err(created);
        }
        let constrained = constrain(io, slots);
        if constrained < 0 {
            alsa_sys::snd_pcm_close((*io).pcm);
            return Err(constrained);
        }
        Ok((*io).pcm)
    }
}

/// Tells libasound what the card can do; negative on error.
///
/// # Safety
/// `io` has been through `snd_pcm_ioplug_create`.
unsafe fn constrain(io: *mut Io, slots: c_uint) -> c_int {
    let accesses = [ACCESS_MMAP_INTERLEAVED, ACCESS_RW_INTERLEAVED];
    let formats = [FORMAT_S16_LE];
    let frame_bytes = slots * BYTES_PER_SAMPLE;
    // SAFETY: `io` is valid by contract, the lists outlive the calls, which copy them.
    unsafe {
        let answers = [
            snd_pcm_ioplug_set_param_list(io, HW_ACCESS, 2, accesses.as_ptr()),
            snd_pcm_ioplug_set_param_list(io, HW_FORMAT, 1, formats.as_ptr()),
            snd_pcm_ioplug_set_param_minmax(io, HW_CHANNELS, slots, slots),
            snd_pcm_ioplug_set_param_minmax(io, HW_RATE, RATE_HZ, RATE_HZ),
            snd_pcm_ioplug_set_param_minmax(
                io,
                HW_PERIOD_BYTES,
                frame_bytes,
                frame_bytes * MAX_PERIOD_FRAMES,
            ),
            snd_pcm_ioplug_set_param_minmax(
                io,
                HW_BUFFER_BYTES,
                frame_bytes * 2,
                frame_bytes * MAX_PERIOD_FRAMES * MAX_PERIODS,
            ),
            snd_pcm_ioplug_set_param_minmax(io, HW_PERIODS, 2, MAX_PERIODS),
        ];
        answers.into_iter().min().unwrap_or(0)
    }
}

/// The entry point that libasound calls for a PCM of `type ringside` (`SND_PCM_PLUGIN_DEFINE_FUNC`).
///
/// # Safety
/// Called by libasound with a place for the PCM and the PCM's own configuration node.
unsafe extern "C" fn open(
    pcm: *mut *mut snd_pcm_t,
    name: *const c_char,
    _root: *mut snd_config_t,
    conf: *mut snd_config_t,
    stream: c_int,
    mode: c_int,
) -> c_int {
    let mut node = ptr::null_mut();
    let mut card = ptr::null();
    // SAFETY: libasound's configuration tree, alive during the call; `card` is set to a string in it on success.
    let card = unsafe {
        if alsa_sys::snd_config_search(conf, c"card".as_ptr(), &raw mut node) < 0
            || alsa_sys::snd_config_get_string(node, &raw mut card) < 0
        {
            return -libc::EINVAL;
        }
        CStr::from_ptr(card)
    };
    let Some(bus) = card.to_str().ok().and_then(registry::find) else {
        return -libc::ENODEV;
    };
    match open_stream(bus, name, stream, mode) {
        Ok(opened) => {
            // SAFETY: libasound's place for the answer.
            unsafe { *pcm = opened };
            0
        }
        Err(error) => error,
    }
}

/// What libasound looks up in the module of `type ringside`: the entry point, and the mark of its version.
pub(super) fn symbols() -> [(&'static str, usize); 2] {
    let entry = open as *const c_void as usize;
    [("_snd_pcm_ringside_open", entry), ("__snd_pcm_ringside_open_dlsym_pcm_001", entry)]
}
