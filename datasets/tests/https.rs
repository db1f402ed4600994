//! Fetching by https, from a server whose certificate a test authority has signed.

#![cfg(all(feature = "download", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used)]

mod server;

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use aais_datasets::{Certificates, Checksum, Error, FetchOptions, Problem, RemoteFile, Size, fetch_file};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use server::{Answer, Served, Server};

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("certificates/localhost.pem");
const KEY: &[u8] = include_bytes!("certificates/localhost.key");

/// RFC 1321, A.5, and its MD5.
const CONTENT: &[u8] = b"message digest";
const MD5: &str = "f96b697d7cb7938d525a2f31aaf161d0";

fn encrypt(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

fn fetch_trusting(certificates: Certificates) -> Result<Vec<u8>, Error> {
    let answers = [Answer::Cut(5), Answer::Well];
    let server = Server::behind(Served::new(CONTENT), &answers, "https://localhost", encrypt);
    let file = RemoteFile {
        path: "data.bin".to_owned(),
        urls: vec![server.file("data.bin")],
        size: Size::Bytes(CONTENT.len() as u64),
        checksum: Checksum::Md5(MD5.to_owned()),
    };
    let folder = tempfile::tempdir().unwrap();
    let options = FetchOptions { certificates, pause: Duration::ZERO, attempts: 2, ..FetchOptions::default() };
    fetch_file(&file, folder.path(), &options, &mut |_| ()).map(|fetched| fs::read(fetched.path).unwrap())
}

#[test]
fn a_trusted_server_is_believed() {
    assert_eq!(fetch_trusting(Certificates::Pem(AUTHORITY.to_vec())).unwrap(), CONTENT);
}

#[test]
fn a_server_that_nobody_vouches_for_is_not() {
    let error = fetch_trusting(Certificates::BuiltIn).unwrap_err();
    let Error::NotFetched { failures, .. } = &error else { panic!("{error}") };
    assert!(matches!(failures[0].problem, Problem::NoConnection { .. }));
    assert!(error.to_string().contains("certificate"), "{error}");
}
