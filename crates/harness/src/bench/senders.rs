//! Posts deliveries as senders do, none of them like another, and wants to read how many Warehouses each of them refreshes. It does not
//! know what comes of that.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cluster::{delivery, own, shared, spread};
use crate::load::{CONNECTIONS, answer, dial};
use crate::process::Server;

/// Deliveries, of which none is like another.
#[derive(Default)]
pub struct Posted {
    number: usize,
}

impl Posted {
    /// Those from this number on.
    pub fn from(number: usize) -> Self {
        Self { number }
    }

    /// One for each of so many Warehouses.
    pub fn own(&mut self, landfall: &Server, connections: &mut [TcpStream], count: usize) -> Result<()> {
        let first = self.number;
        self.number += count;
        spread(connections, count, |connection, number| {
            exchange(connection, &delivery(&landfall.host, &own(number), first + number), 1)
        })
    }

    /// One that concerns so many Warehouses. Returns how long its answer took.
    pub fn one(&mut self, landfall: &Server, connection: &mut TcpStream, fan_out: usize) -> Result<Duration> {
        self.number += 1;
        let repository = if fan_out == 1 { own(0) } else { shared(fan_out) };
        let request = delivery(&landfall.host, &repository, self.number);
        let began = Instant::now();
        exchange(connection, &request, fan_out)?;
        Ok(began.elapsed())
    }
}

/// Connections over which senders post.
pub fn connect(landfall: &Server) -> Result<Vec<TcpStream>> {
    (0..CONNECTIONS).map(|_| dial(&landfall.host)).collect()
}

/// Sends a delivery, which so many Warehouses are to want.
fn exchange(connection: &mut TcpStream, request: &[u8], wanted: usize) -> Result<()> {
    connection.write_all(request)?;
    let answer = answer(connection)?;
    ensure!(
        answer.ends_with(&format!("{{\"msg\":\"refreshed {wanted} warehouse(s)\"}}\n")),
        "a delivery was answered {answer}"
    );
    Ok(())
}
