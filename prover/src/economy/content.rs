//! Tokens of content: minted through the oracle, verified, sold.

use alloy_primitives::{Address, B256, Bytes, U256};
use opml_contracts::abi::AigcCollection;

use super::{
    book::Book,
    calls::{hidden_prompt, prompt, token_id},
    cast::Actor,
    market::Launched,
};
use crate::{
    error::ProverError,
    ledger::{Ledger, event},
    task::Task,
    units,
};

const SALT: B256 = B256::repeat_byte(0x33);

/// Announces a prompt, then asks for its token; gives the request's number.
pub(super) fn mint<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    who: Actor,
    task: &Task,
) -> Result<U256, ProverError> {
    let prompt = prompt(&task.inputs);
    let commitment = hidden_prompt(book.at(who), &prompt, SALT);
    let call = AigcCollection::commitPromptCall { commitment };
    book.send(who, launched.collection, U256::ZERO, &call, "a prompt, hidden")?;
    let fee = book.ask(launched.collection, &AigcCollection::mintFeeCall {})?;
    let call = AigcCollection::mintCall { prompt_: prompt, salt: SALT };
    let what = format!("fee and callback gas, {}", units::ether(fee));
    let sent = book.send(who, launched.collection, fee, &call, what)?;
    Ok(event::<AigcCollection::Requested>(&sent.logs)?.requestId)
}

/// Whether the collection vouches for content.
pub(super) fn verified<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    task: &Task,
    content: &[u8],
) -> Result<bool, ProverError> {
    let call = AigcCollection::verifyCall {
        prompt_: prompt(&task.inputs),
        aigcData: Bytes::copy_from_slice(content),
        _2: Bytes::new(),
    };
    book.ask(launched.collection, &call)
}

/// A token's content and owner; none if there is no such token.
pub(super) fn shown<N: Ledger>(book: &mut Book<N>, launched: &Launched, task: &Task) -> Option<(Bytes, Address)> {
    let token = token_id(&prompt(&task.inputs));
    let content = book.ask(launched.collection, &AigcCollection::aigcDataOfCall { tokenId_: token }).ok()?;
    let owner = book.ask(launched.collection, &AigcCollection::ownerOfCall { tokenId: token }).ok()?;
    Some((content, owner))
}

/// Sells a token: the royalty goes where ERC-2981 says, the rest to the seller, the token to the buyer.
pub(super) fn sell<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    task: &Task,
    (seller, buyer): (Actor, Actor),
    price: U256,
) -> Result<U256, ProverError> {
    let token = token_id(&prompt(&task.inputs));
    let royalty = AigcCollection::royaltyInfoCall { tokenId: token, salePrice: price };
    let royalty = book.ask(launched.collection, &royalty)?;
    let (from, to) = (book.at(seller), book.at(buyer));
    book.pay(buyer, royalty.receiver, royalty.amount, "royalty")?;
    book.pay(buyer, from, price - royalty.amount, "price less royalty")?;
    let call = AigcCollection::transferFromCall { from, to, tokenId: token };
    book.send(seller, launched.collection, U256::ZERO, &call, format!("the token to {}", buyer.name()))?;
    Ok(royalty.amount)
}
