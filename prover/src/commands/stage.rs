//! Where the scenes of the economy are played: in this process, or on a chain behind an endpoint.

use anyhow::Result;

use crate::{
    arguments::network::Stage as Where,
    economy::Stage,
    error::ProverError,
    ledger::Ledger,
    network::{Network as _, Remote, Rpc, Wallet},
    output::Output,
    units,
};

/// Plays a scene; none if nothing was to be sent.
pub(super) fn played<T>(
    place: &Where,
    output: Output,
    scene: impl FnOnce(Stage<&mut dyn Ledger>) -> Result<T, ProverError>,
) -> Result<Option<T>> {
    let Some(endpoint) = &place.rpc else {
        return Ok(Some(scene(Stage::in_process()?.lend())?));
    };
    let purse = Wallet::open(place.keystore.as_deref())?;
    let rpc = Rpc::connect(endpoint)?;
    let (account, chain) = (purse.account(), rpc.chain_id());
    let has = units::ether(rpc.balance(account)?);
    let ledger = Remote::new(rpc, place.most(), place.wait)?;
    if place.dry_run {
        output.note(&format!(
            "nothing was sent: on chain {chain}, new contracts and the money of the actors would come from {account}, which has {has}"
        ));
        return Ok(None);
    }
    let mut stage = Stage::on(ledger, &purse)?;
    let shown = scene(stage.lend());
    // The money of the cast goes home, however it ended.
    let home = stage.strike(&purse);
    let shown = shown?;
    home?;
    Ok(Some(shown))
}
