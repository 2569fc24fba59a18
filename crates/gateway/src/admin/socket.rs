//! The admin API's Unix socket: in a folder that is ours, for our user alone, never through a link.
//!
//! Binding and connecting go through an open handle of the folder (`/proc/self/fd/N`), so that nobody can put another folder
//! in its place in between, and a long path is no matter (a socket's path has 107 bytes at most).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The socket in the data directory.
pub const SOCKET: &str = "admin.sock";
/// Only the user that runs the hub may connect.
const SOCKET_MODE: u32 = 0o600;
/// The folder, where it has to be made.
const FOLDER_MODE: u32 = 0o700;
/// Bits that let others put something into the folder.
const OTHERS_WRITE: u32 = 0o022;

/// Listens at `SOCKET` in `folder`; a socket that a dead hub left is replaced.
pub(crate) fn listen(folder: &Path) -> io::Result<UnixListener> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    let held = Held::open(folder)?;
    let path = held.socket();
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(is) if !is.file_type().is_socket() => {
            return Err(refused(folder, "is there and is no socket; remove it"));
        }
        Ok(_) => {
            if UnixStream::connect(&path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another hub with this data directory has it"));
            }
            fs::remove_file(&path)?;
        }
    }
    // Bound beside and moved into place: until its mode is right, nobody can find it.
    let beside = held.path(&format!("{SOCKET}.{}.tmp", std::process::id()));
    let _left_by_a_crash = fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside)?;
    let placed = fs::set_permissions(&beside, fs::Permissions::from_mode(SOCKET_MODE))
        .and_then(|()| fs::hard_link(&beside, &path));
    let _done_with = fs::remove_file(&beside);
    placed?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to the hub whose data directory is `folder`. A socket that is not our own user's is not spoken to.
///
/// # Errors
/// When no hub listens there, or what is there is not to be trusted.
pub fn connect(folder: &Path) -> io::Result<UnixStream> {
    let held = Held::open(folder)?;
    let path = held.socket();
    let is = fs::symlink_metadata(&path)?;
    if !is.file_type().is_socket() {
        return Err(refused(folder, "is no socket (a link, perhaps): nobody knows who listens behind it"));
    }
    if is.uid() != me() && is.uid() != 0 {
        return Err(refused(folder, "belongs to another user"));
    }
    UnixStream::connect(&path)
}

/// Whether `uid` may use the socket: the user that runs the hub, and root, who may do everything anyway.
pub(crate) fn may_use(uid: u32) -> bool {
    uid == me() || uid == 0
}

pub(crate) fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Takes the socket away, when it still is the one that `listener` made.
pub(crate) fn remove(folder: &Path, inode: Option<u64>) {
    let path = folder.join(SOCKET);
    if inode.is_some() && fs::symlink_metadata(&path).ok().map(|is| is.ino()) == inode {
        let _gone_already = fs::remove_file(&path);
    }
}

/// What tells this socket from one that another hub puts in its place.
pub(crate) fn inode(folder: &Path) -> Option<u64> {
    fs::symlink_metadata(folder.join(SOCKET)).ok().map(|is| is.ino())
}

/// A folder that is ours, held open.
struct Held(File);

impl Held {
    fn open(folder: &Path) -> io::Result<Self> {
        let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let open = OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(folder)?;
        let is = open.metadata()?;
        if is.uid() != me() && is.uid() != 0 {
            return Err(refused(folder, "stands in a folder of another user"));
        }
        if is.mode() & OTHERS_WRITE != 0 {
            return Err(refused(folder, "stands in a folder that others may write to; `chmod go-w` it"));
        }
        Ok(Self(open))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }

    fn socket(&self) -> PathBuf {
        self.path(SOCKET)
    }
}

fn refused(folder: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{} {why}", folder.join(SOCKET).display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use super::{SOCKET, connect, inode, listen, remove};

    #[test]
    fn auth_7_the_socket_is_its_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120)).join("data");
        let listener = listen(&deep).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&deep.join(SOCKET)), mode(&deep)), (0o600, 0o700));
        connect(&deep).unwrap();
        assert!(listen(&deep).unwrap_err().to_string().contains("another hub"));
        drop(listener);
        assert!(connect(&deep).is_err());
        let _again = listen(&deep).unwrap();
        assert_eq!(deep.read_dir().unwrap().count(), 1);
        remove(&deep, inode(&deep));
        assert_eq!(deep.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn auth_7_a_link_in_its_place_is_followed_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere.sock");
        let _theirs = UnixListener::bind(&elsewhere).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        symlink(&elsewhere, data.join(SOCKET)).unwrap();
        assert!(connect(&data).unwrap_err().to_string().contains("no socket"));
        assert!(listen(&data).unwrap_err().to_string().contains("no socket"));
        fs::remove_file(data.join(SOCKET)).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(listen(&data).unwrap_err().to_string().contains("chmod go-w"));
        assert!(connect(&data).unwrap_err().to_string().contains("chmod go-w"));
    }
}
