//! An endpoint that fails: some connections are cut, some are answered with an error, some are held for a while.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Forwards connections to a port, and fails at some by a seed.
pub(super) struct Proxy {
    port: u16,
    failures: Arc<AtomicU64>,
}

impl Proxy {
    /// One in `rarity` connections fails in one of three ways.
    pub(super) fn start(to: u16, rarity: u64, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let failures = Arc::new(AtomicU64::new(0));
        let counted = failures.clone();
        thread::spawn(move || {
            let mut state = seed;
            for stream in listener.incoming().flatten() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let dice = state >> 33;
                if !dice.is_multiple_of(rarity) {
                    thread::spawn(move || forward(stream, to));
                    continue;
                }
                counted.fetch_add(1, Ordering::Relaxed);
                match dice / rarity % 3 {
                    0 => drop(stream),
                    1 => refuse(stream),
                    _ => {
                        thread::spawn(move || {
                            thread::sleep(Duration::from_millis(1_500));
                            drop(stream);
                        });
                    }
                }
            }
        });
        Self { port, failures }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

/// One request to a connection, so that every question is thrown for.
fn forward(mut client: TcpStream, to: u16) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)) else { return };
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else { return };
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let mut buffer = [0; 65_536];
    let _ = server.set_read_timeout(Some(Duration::from_millis(400)));
    loop {
        match server.read(&mut buffer) {
            Ok(length) if length > 0 => {
                if client.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            _ => break,
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

fn refuse(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
