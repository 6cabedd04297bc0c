//! TLS on the node's own port, by rustls: certificate and key from files, TLS 1.3 and 1.2, and the cipher suites that rustls
//! considers safe, all of which keep recorded traffic secret when the key is lost later.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::cli::failure::Failure;
use crate::node::Tls;

/// Reads certificate and key.
///
/// # Errors
/// A file cannot be read or understood, others can read the key, or the two do not belong together.
pub(super) fn configured(tls: &Tls) -> Result<ServerConfig, Failure> {
    let wrong = |path: &Path, why: String| Failure::failed(format!("{}: {why}", path.display()));
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(
            &tls.certificate,
            "it holds no certificate in PEM".to_owned(),
        ));
    }
    let metadata = std::fs::metadata(&tls.key).map_err(|error| Failure::file(&tls.key, &error))?;
    if metadata.mode() & 0o077 != 0 {
        let why = "others can get at the key; run: chmod 600".to_owned();
        return Err(wrong(&tls.key, why));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| wrong(&tls.key, error.to_string()))?;
    let refused = |error: rustls::Error| wrong(&tls.certificate, error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(refused)?;
    // The node's order of suites, not the client's.
    config.ignore_client_order = true;
    // The server behind speaks nothing else.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
