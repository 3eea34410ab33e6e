//! Where libasound finds the simulated cards: by name in a table, through a configuration of this process alone.

use super::{
    CardError,
    bus::Bus,
    ioplug,
    module::{HEADER_BYTES, shared_object},
};
use std::{
    collections::BTreeMap,
    ffi::CStr,
    fs::File,
    io::{self, Read, Write},
    os::fd::FromRawFd,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Most cards at once; a guard against tests that leak them.
const MAX_CARDS: usize = 64;

/// `MODULE` stands for the path of the plugin.
const CONFIGURATION: &str = include_str!("asound.conf");

static CARDS: Mutex<BTreeMap<String, Arc<Bus>>> = Mutex::new(BTreeMap::new());

/// Enters a card under its name.
pub(super) fn add(name: &str, bus: &Arc<Bus>) -> Result<(), CardError> {
    let mut cards = CARDS.lock().unwrap_or_else(PoisonError::into_inner);
    if cards.contains_key(name) || cards.len() >= MAX_CARDS {
        return Err(CardError::NameTaken(name.to_owned()));
    }
    cards.insert(name.to_owned(), Arc::clone(bus));
    Ok(())
}

/// Takes a card out again.
pub(super) fn remove(name: &str) {
    CARDS.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
}

/// The card of that name.
pub(super) fn find(name: &str) -> Option<Arc<Bus>> {
    CARDS.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

/// Points libasound in this process at the simulated cards and away from the host's sound set-up.
///
/// Call it before any thread starts and before the first PCM is opened; later calls do nothing.
///
/// # Errors
/// If the module and the configuration for libasound cannot be kept in memory.
pub fn install() -> Result<(), CardError> {
    static INSTALLED: OnceLock<io::Result<Files>> = OnceLock::new();
    match INSTALLED.get_or_init(point_libasound_here) {
        Ok(_) => Ok(()),
        Err(error) => Err(CardError::Installation(error.kind().into())),
    }
}

/// What libasound opens by path, as long as the process lives.
struct Files {
    _module: File,
    _configuration: File,
}

#[allow(unsafe_code)]
fn point_libasound_here() -> io::Result<Files> {
    let mut own_header = [0; HEADER_BYTES];
    File::open("/proc/self/exe")?.read_exact(&mut own_header)?;
    let module = shared_object(&own_header, &ioplug::symbols()).ok_or(io::ErrorKind::Unsupported)?;
    let (module, module_path) = in_memory(c"libasound_module_pcm_ringside.so", &module)?;
    let configuration = CONFIGURATION.replace("MODULE", &module_path);
    let (configuration, configuration_path) = in_memory(c"asound.conf", configuration.as_bytes())?;
    // SAFETY: the caller has started no thread that reads the environment, as `install` demands.
    unsafe { std::env::set_var("ALSA_CONFIG_PATH", configuration_path) };
    Ok(Files { _module: module, _configuration: configuration })
}

/// A file in memory with `content`, and the path at which this process can open it.
#[allow(unsafe_code)]
fn in_memory(name: &CStr, content: &[u8]) -> io::Result<(File, String)> {
    // SAFETY: `name` outlives the call, which copies it.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(content)?;
    Ok((file, format!("/proc/self/fd/{fd}")))
}
