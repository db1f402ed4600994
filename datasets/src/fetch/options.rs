//! How files are fetched.

use std::time::Duration;

/// How patient a fetch is, and by which way it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOptions {
    /// What becomes of a file that is there and not the published one.
    pub existing: Existing,
    /// Longest time to find a server and connect to it.
    pub connect_timeout: Duration,
    /// Longest time without a byte.
    pub stall_timeout: Duration,
    /// How often an address is tried; an attempt that brings a mebibyte does not count.
    pub attempts: u32,
    /// Time between two attempts at one address.
    pub pause: Duration,
    /// How many redirects are followed.
    pub redirects: u32,
    /// Proxies.
    pub proxies: Proxies,
    /// Who vouches for servers that are asked by https.
    pub certificates: Certificates,
}

impl Default for FetchOptions {
    /// Half a minute for a server to answer, four attempts a second apart, ten redirects, no proxy.
    fn default() -> Self {
        Self {
            existing: Existing::Keep,
            connect_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            attempts: 4,
            pause: Duration::from_secs(1),
            redirects: 10,
            proxies: Proxies::default(),
            certificates: Certificates::BuiltIn,
        }
    }
}

/// What becomes of a file that is there and not the published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the fetch is an error.
    Keep,
    /// The published one takes its place once it has arrived.
    Replace,
}

/// Who vouches for servers that are asked by https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificates {
    /// The authorities that Mozilla trusts, as of this program's build.
    BuiltIn,
    /// These certificates and no others, in PEM form.
    Pem(Vec<u8>),
}

/// HTTP proxies, such as `http://proxy.example:3128`, by what is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For addresses that begin with `http:`.
    pub http: Option<String>,
    /// For addresses that begin with `https:`.
    pub https: Option<String>,
    /// Hosts that are asked directly: `host` and all below it, or `*` for all.
    pub except: Vec<String>,
}

impl Proxies {
    /// The proxy by which an address is asked.
    #[must_use]
    pub fn of(&self, url: &str) -> Option<&str> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let host = host(authority.rsplit('@').next().unwrap_or(authority)).to_lowercase();
        let is_excepted = |except: &String| {
            let except = except.trim().trim_start_matches("*.").trim_start_matches('.').to_lowercase();
            except == "*" || (!except.is_empty() && (host == except || host.ends_with(&format!(".{except}"))))
        };
        match scheme.to_lowercase().as_str() {
            _ if self.except.iter().any(is_excepted) => None,
            "http" => self.http.as_deref(),
            "https" => self.https.as_deref(),
            _ => None,
        }
    }
}

/// A host without its port; an IPv6 address stands in brackets.
fn host(host_and_port: &str) -> &str {
    match host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host_and_port.split(':').next().unwrap_or(host_and_port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(except: &[&str]) -> Proxies {
        let except = except.iter().map(|&host| host.to_owned()).collect();
        Proxies { http: Some("http://a:1".to_owned()), https: Some("http://b:2".to_owned()), except }
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        let proxies = proxies(&[]);
        assert_eq!(proxies.of("http://x.org/f"), Some("http://a:1"));
        assert_eq!(proxies.of("HTTPS://x.org"), Some("http://b:2"));
        assert_eq!(proxies.of("file:///f"), None);
        assert_eq!(Proxies::default().of("http://x.org"), None);
    }

    #[test]
    fn excepted_hosts_are_asked_directly() {
        let proxies = proxies(&["localhost", ".lab.example", "::1", "*.far.example"]);
        let direct = [
            "http://localhost:80/x",
            "https://a.Lab.example",
            "http://u:p@lab.example/x",
            "http://[::1]:8/",
            "http://far.example",
        ];
        for url in direct {
            assert_eq!(proxies.of(url), None, "{url}");
        }
        for url in ["http://notlocalhost", "http://lab.example.org", "https://x.org/?a=localhost"] {
            assert!(proxies.of(url).is_some(), "{url}");
        }
        assert_eq!(self::proxies(&["*"]).of("http://x.org"), None);
    }
}
