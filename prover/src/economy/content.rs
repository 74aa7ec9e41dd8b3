//! Tokens of content: minted through the oracle, verified, sold.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolValue;
use opml_contracts::abi::AigcCollection;

use super::{
    answers::prompt,
    book::Book,
    cast,
    ledger::{Ledger, event},
    market::Launched,
};
use crate::{error::ProverError, task::Task, units};

const SALT: B256 = B256::repeat_byte(0x33);

/// The number of a prompt's token.
pub(super) fn token(prompt: &[u8]) -> U256 {
    keccak256(prompt).into()
}

/// Announces a prompt, then asks for its token; gives the request's number.
pub(super) fn mint<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    who: Address,
    task: &Task,
) -> Result<U256, ProverError> {
    let prompt = prompt(task);
    let commitment = keccak256((who, keccak256(&prompt), SALT).abi_encode());
    let call = AigcCollection::commitPromptCall { commitment };
    book.send(who, launched.collection, U256::ZERO, &call, "a prompt, hidden")?;
    let fee = book.ask(launched.collection, &AigcCollection::mintFeeCall {})?;
    let call = AigcCollection::mintCall { prompt_: prompt, salt: SALT };
    let what = format!("fee and callback gas, {}", units::ether(fee));
    let receipt = book.send(who, launched.collection, fee, &call, what)?;
    Ok(event::<AigcCollection::Requested>(&receipt)?.requestId)
}

/// Whether the collection vouches for content.
pub(super) fn verified<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    task: &Task,
    content: &[u8],
) -> Result<bool, ProverError> {
    let call = AigcCollection::verifyCall {
        prompt_: prompt(task),
        aigcData: Bytes::copy_from_slice(content),
        _2: Bytes::new(),
    };
    book.ask(launched.collection, &call)
}

/// A token's content and owner; none if there is no such token.
pub(super) fn shown<N: Ledger>(book: &mut Book<N>, launched: &Launched, task: &Task) -> Option<(Bytes, Address)> {
    let token = token(&prompt(task));
    let content = book.ask(launched.collection, &AigcCollection::aigcDataOfCall { tokenId_: token }).ok()?;
    let owner = book.ask(launched.collection, &AigcCollection::ownerOfCall { tokenId: token }).ok()?;
    Some((content, owner))
}

/// Sells a token: the royalty goes where ERC-2981 says, the rest to the seller, the token to the buyer.
pub(super) fn sell<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    task: &Task,
    (seller, buyer): (Address, Address),
    price: U256,
) -> Result<U256, ProverError> {
    let token = token(&prompt(task));
    let royalty = AigcCollection::royaltyInfoCall { tokenId: token, salePrice: price };
    let royalty = book.ask(launched.collection, &royalty)?;
    let (receiver, amount) = (royalty.receiver, royalty.amount);
    for (to, value, what) in [(receiver, amount, "royalty"), (seller, price - amount, "price less royalty")] {
        let receipt = book.ledger.transact("payment", buyer, Some(to), value, Bytes::new())?;
        book.record.note(cast::name(buyer), "pay", format!("{what}, {}", units::ether(value)), receipt.gas_used);
    }
    let call = AigcCollection::transferFromCall { from: seller, to: buyer, tokenId: token };
    book.send(seller, launched.collection, U256::ZERO, &call, format!("the token to {}", cast::name(buyer)))?;
    Ok(amount)
}
