//! The key that wraps the store's data key: in a file of its own beside it, under a passphrase, or in the system's keychain, as the
//! file says. While a key is rotated there are two.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omni_types::random;
use zeroize::Zeroizing;

use crate::keychain::KeychainFault;
use crate::local::file;
use crate::local::unlock::Unlock;
use crate::seal::{KEY_BYTES, Key, open, seal};

/// What the line of a key begins with.
const PREFIX: &str = "omni-secrets-key-1+";
/// What a file begins with whose keys are sealed under a passphrase.
const PASSPHRASE: &str = "omni-secrets-passphrase-1+";
/// What a file begins with whose keys are in the keychain.
const KEYCHAIN: &str = "omni-secrets-keychain-1+";
/// Bytes of the file: it has two keys at most.
const FILE_BYTES_MAX: u64 = 1024;
/// Bytes of the salt.
const SALT_BYTES: usize = 16;
/// Argon2id's cost: 64 MiB, three passes, one lane (above OWASP's least, RFC 9106's second choice with fewer lanes).
const COST: (u32, u32, u32) = (64 * 1024, 3, 1);
/// A file that asks for more was not written by a hub: opening it would take the machine's memory.
const COST_MAX: (u32, u32, u32) = (1024 * 1024, 16, 16);

/// Who holds the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The file.
    File,
    /// The file, sealed under a passphrase.
    Passphrase,
    /// The keychain, under this account.
    Keychain(String),
}

/// Which key it is: a digest of a random key of 256 bits tells nothing of it.
pub(crate) fn key_id(key: &Key) -> String {
    let digest = digest(&SHA256, &Zeroizing::new([PREFIX.as_bytes(), key.as_slice()].concat()));
    hexadecimal(&digest.as_ref()[..8])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _to_a_string = write!(out, "{byte:02x}");
        out
    })
}

/// Who holds the keys of the file; `None` where there is no file.
pub(crate) fn holder(path: &Path) -> io::Result<Option<Holder>> {
    let text = file::read(path, FILE_BYTES_MAX)?.map(Zeroizing::new);
    Ok(text.as_deref().map(|text| holder_of(text)))
}

fn holder_of(text: &str) -> Holder {
    match text.trim_end().strip_prefix(KEYCHAIN) {
        Some(account) => Holder::Keychain(account.to_owned()),
        None if text.starts_with(PASSPHRASE) => Holder::Passphrase,
        None => Holder::File,
    }
}

/// The keys of the file, the newest last, and who holds them; none where there is no file.
pub(crate) fn read(path: &Path, unlock: &Unlock) -> io::Result<(Vec<Key>, Holder)> {
    let Some(text) = file::read(path, FILE_BYTES_MAX)?.map(Zeroizing::new) else {
        return Ok((Vec::new(), Holder::File));
    };
    let holder = holder_of(&text);
    let keys = match &holder {
        Holder::File => keys_of(&text),
        Holder::Passphrase => match unlock.opened(&text) {
            Some(keys) => Some(keys),
            None => {
                let keys = keys_of(&unsealed(&text, unlock)?);
                unlock.remember(&text, keys.as_deref().unwrap_or_default());
                keys
            }
        },
        Holder::Keychain(account) => {
            let keychain = unlock.keychain();
            let held = keychain.value(account).map_err(|fault| {
                let why = match fault {
                    KeychainFault::Missing => format!("does not hold `{account}`: unlock it, or put a copy back"),
                    KeychainFault::Refused(why) => why,
                };
                io::Error::other(format!("its key is in the keychain, and {} {why}", keychain.name()))
            })?;
            keys_of(held.expose())
        }
    };
    let keys = keys
        .ok_or_else(|| io::Error::other(format!("holds no key (`{PREFIX}…`): put the file back that belongs there")))?;
    Ok((keys, holder))
}

/// Writes keys for `holder` to keep.
pub(crate) fn write(path: &Path, keys: &[&Key], holder: &Holder, unlock: &Unlock) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    for key in keys {
        text.push_str(PREFIX);
        text.push_str(&Zeroizing::new(STANDARD.encode(key.as_slice())));
        text.push('\n');
    }
    match holder {
        Holder::File => file::replace(path, &text),
        Holder::Passphrase => file::replace(path, &sealed(&text, unlock)?),
        Holder::Keychain(account) => {
            let keychain = unlock.keychain();
            keychain.put(account, &text).map_err(|fault| {
                let why = match fault {
                    KeychainFault::Missing => "did not take it".to_owned(),
                    KeychainFault::Refused(why) => why,
                };
                io::Error::other(format!("{} {why}", keychain.name()))
            })?;
            file::replace(path, &format!("{KEYCHAIN}{account}\n"))
        }
    }
}

/// A fresh name in the keychain.
pub(crate) fn fresh_account() -> io::Result<String> {
    let drawn: [u8; 8] = random().map_err(io::Error::other)?;
    Ok(format!("store-key-{}", hexadecimal(&drawn)))
}

fn keys_of(text: &str) -> Option<Vec<Key>> {
    let key = |line: &str| {
        let bytes = Zeroizing::new(STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?);
        <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok().map(Key::new)
    };
    let keys: Option<Vec<Key>> = text.lines().map(key).collect();
    keys.filter(|keys| !keys.is_empty())
}

fn sealed(text: &str, unlock: &Unlock) -> io::Result<String> {
    let salt: [u8; SALT_BYTES] = random().map_err(io::Error::other)?;
    let passphrase = unlock.passphrase()?;
    let (memory, passes, lanes) = COST;
    // No character of Base64 parts the members.
    let head = format!("{PASSPHRASE}{memory},{passes},{lanes}|{}|", STANDARD.encode(salt));
    let key = derived(passphrase.expose(), &salt, COST)?;
    let sealed = seal(&key, head.as_bytes(), text.as_bytes())
        .ok_or_else(|| io::Error::other("the system has no randomness to give"))?;
    Ok(format!("{head}{}\n", STANDARD.encode(sealed)))
}

fn unsealed(text: &str, unlock: &Unlock) -> io::Result<Zeroizing<String>> {
    let damaged = || io::Error::other("is damaged: put the file back that belongs there");
    let (head, body) =
        text.trim_end().rsplit_once('|').map(|(head, body)| (format!("{head}|"), body)).ok_or_else(damaged)?;
    let inner = head.strip_prefix(PASSPHRASE).and_then(|rest| rest.strip_suffix('|')).ok_or_else(damaged)?;
    let (cost, salt) = inner.split_once('|').ok_or_else(damaged)?;
    let cost: Vec<u32> = cost.split(',').map_while(|part| part.parse().ok()).collect();
    let [memory, passes, lanes] = cost[..] else { return Err(damaged()) };
    if memory > COST_MAX.0 || passes > COST_MAX.1 || lanes > COST_MAX.2 {
        return Err(damaged());
    }
    let salt = STANDARD.decode(salt).map_err(|_| damaged())?;
    let passphrase = unlock.passphrase()?;
    let key = derived(passphrase.expose(), &salt, (memory, passes, lanes))?;
    let bytes = STANDARD.decode(body).ok().and_then(|body| open(&key, head.as_bytes(), &body));
    let bytes = bytes.ok_or_else(|| io::Error::other("does not open: the passphrase is another one"))?;
    std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| damaged())
}

fn derived(passphrase: &str, salt: &[u8], (memory, passes, lanes): (u32, u32, u32)) -> io::Result<Key> {
    let wrong = |error: argon2::Error| io::Error::other(format!("cannot be opened: {error}"));
    let params = Params::new(memory, passes, lanes, Some(KEY_BYTES)).map_err(wrong)?;
    let mut key = Key::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
        .map_err(wrong)?;
    Ok(key)
}
