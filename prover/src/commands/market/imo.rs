//! `opml imo …`: an offering on a chain.

use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Context as _, Result, ensure};
use opml_contracts::abi::{
    AIOracle, CollectionDeployer, CreatorVesting, Offering, OfferingFactory, RevenueToken, TokenDeployer,
};
use serde::Serialize;

use super::{Asks, Desk, Window, finish, tried};
use crate::{
    arguments::market::{Access, Buy, ImoStep, Launch, Offered, Shown, Terms},
    commands::AGREE,
    economy::calls::{self, DAY, Listing, Offer, WHOLE},
    files,
    ledger::event,
    network::{Done, Market, Network as _, NetworkError},
    output::Output,
    units,
};

pub(in crate::commands) fn imo(step: &ImoStep, output: Output) -> Result<u8> {
    match step {
        ImoStep::Deploy(access) => deploy(access, output),
        ImoStep::Launch(launch) => self::launch(launch, output),
        ImoStep::Buy(buy) => self::buy(buy, output),
        ImoStep::Close(offered) => close(offered, output),
        ImoStep::Refund(offered) => refund(offered, output),
        ImoStep::Proceeds(offered) => proceeds(offered, output),
        ImoStep::Vest(offered) => vest(offered, output),
        ImoStep::Show(shown) => show(shown, output),
    }
}

/// The contracts of a market, in the order in which each needs those before it.
const CONTRACTS: [&str; 5] = ["AIOracle", "TokenDeployer", "CollectionDeployer", "OfferingFactory", "OpmlAdapter"];

fn deploy(access: &Access, output: Output) -> Result<u8> {
    let mut desk = Desk::open(access)?;
    let mut market = desk.place.market.unwrap_or_default();
    for name in CONTRACTS {
        let Some(code) = missing(&market, desk.place.dispute, name) else { continue };
        let done = desk.session.sender().send(name, None, U256::ZERO, code).context(name)?;
        if desk.done(&done)?.is_none() {
            return tried(&desk, output);
        }
        let Done::Mined(mined) = done else { continue };
        *slot(&mut market, name) = Some(mined.created.context("the deployment made no contract")?);
        desk.place.market = Some(market);
        desk.place.write(&access.link.deployment)?;
    }
    let words =
        if desk.paid.is_empty() { "Everything is there already." } else { "The deployment file names them all." };
    finish(&desk, output, &market, words)
}

/// Creation code of a contract that is not there yet.
fn missing(market: &Market, dispute: Address, name: &str) -> Option<Bytes> {
    let mut market = *market;
    if slot(&mut market, name).is_some() {
        return None;
    }
    Some(match name {
        "AIOracle" => calls::oracle_code(dispute),
        "TokenDeployer" => TokenDeployer::BYTECODE.clone(),
        "CollectionDeployer" => CollectionDeployer::BYTECODE.clone(),
        "OfferingFactory" => calls::factory_code(market.oracle?, market.tokens?, market.collections?),
        _ => calls::adapter_code(dispute),
    })
}

fn slot<'a>(market: &'a mut Market, name: &str) -> &'a mut Option<Address> {
    match name {
        "AIOracle" => &mut market.oracle,
        "TokenDeployer" => &mut market.tokens,
        "CollectionDeployer" => &mut market.collections,
        "OfferingFactory" => &mut market.factory,
        _ => &mut market.adapter,
    }
}

impl From<&Terms> for Listing {
    fn from(terms: &Terms) -> Self {
        Self {
            max_t: terms.max_t,
            tier: terms.tier,
            ttl: terms.ttl.saturating_mul(DAY),
            share: terms.fee_share,
            fee: terms.fee,
            gas_price: terms.gas_price,
        }
    }
}

fn offer(arguments: &Launch, creator: Address, now: u64) -> Offer {
    Offer {
        creator,
        price: arguments.price,
        cap: arguments.cap,
        soft_cap: arguments.soft_cap,
        deadline: now.saturating_add(arguments.days.saturating_mul(DAY.into())),
        creator_share: arguments.creator_share,
        vesting: (arguments.cliff.saturating_mul(DAY), arguments.vesting.saturating_mul(DAY)),
        claimable: arguments.claimable,
        interval: arguments.snapshots.saturating_mul(3_600),
        royalty: arguments.royalty,
        token: (arguments.name.clone(), arguments.symbol.clone()),
        collection: (format!("{}: content", arguments.name), arguments.symbol.clone()),
        listing: Listing::from(&arguments.terms),
    }
}

#[derive(Serialize)]
struct Launched {
    offering: String,
    token: String,
    model_root: String,
    deadline: u64,
}

fn launch(arguments: &Launch, output: Output) -> Result<u8> {
    ensure!(arguments.soft_cap <= arguments.cap, "--soft-cap is at most --cap");
    ensure!(arguments.cliff <= arguments.vesting, "--cliff is at most --vesting");
    let program = files::read_model(&arguments.model)?;
    let mut desk = Desk::open(&arguments.access)?;
    let factory = desk.factory()?;
    if !desk.register(&program)? {
        return tried(&desk, output);
    }
    let offer = offer(arguments, desk.account(), desk.session.rpc.head()?.time);
    let Some(logs) = desk.send(factory, U256::ZERO, &offer.launch(&program))? else { return tried(&desk, output) };
    let event: OfferingFactory::OfferingLaunched = event(&logs)?;
    let launched = Launched {
        offering: event.offering.to_string(),
        token: event.token.to_string(),
        model_root: event.modelRoot.to_string(),
        deadline: offer.deadline,
    };
    finish(&desk, output, &launched, &format!("{}\nIts token is {}.", launched.offering, launched.token))
}

#[derive(Serialize)]
struct Bought {
    tokens: String,
    cost: String,
}

fn buy(arguments: &Buy, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let offering = desk.offering(arguments.offering)?;
    let cost = desk.ask(offering, &Offering::costOfCall { amount: arguments.tokens })?;
    desk.send(offering, cost, &Offering::buyCall { amount: arguments.tokens })?;
    let bought = Bought { tokens: arguments.tokens.to_string(), cost: cost.to_string() };
    finish(&desk, output, &bought, &format!("{} for {}.", tokens(arguments.tokens), units::ether(cost)))
}

#[derive(Serialize)]
struct Closed {
    succeeded: Option<bool>,
    model_id: Option<String>,
    collection: Option<String>,
    vesting: Option<String>,
}

fn close(arguments: &Offered, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let offering = desk.offering(arguments.offering)?;
    let mut closed = Closed { succeeded: None, model_id: None, collection: None, vesting: None };
    let Some(logs) = desk.send(offering, U256::ZERO, &Offering::closeCall {})? else {
        return finish(&desk, output, &closed, "");
    };
    let words = if let Ok(event) = event::<Offering::Succeeded>(&logs) {
        closed = Closed {
            succeeded: Some(true),
            model_id: Some(number(event.modelId)),
            collection: Some(event.collection.to_string()),
            vesting: Some(event.vesting.to_string()),
        };
        format!("It has succeeded. Listing {}, collection {}.", number(event.modelId), event.collection)
    } else {
        closed.succeeded = Some(false);
        "Too little was sold: every buyer may take back what was paid, `opml imo refund`.".to_owned()
    };
    finish(&desk, output, &closed, &words)
}

#[derive(Serialize)]
struct Money {
    wei: String,
}

fn refund(arguments: &Offered, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let offering = desk.offering(arguments.offering)?;
    let paid = desk.ask(offering, &Offering::paidByCall { buyer: desk.account() })?;
    desk.send(offering, U256::ZERO, &Offering::refundCall {})?;
    finish(&desk, output, &Money { wei: paid.to_string() }, &format!("{}.", units::ether(paid)))
}

fn proceeds(arguments: &Offered, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let offering = desk.offering(arguments.offering)?;
    let credit = desk.ask(offering, &Offering::creditOfCall { account: desk.account() })?;
    if credit.is_zero() {
        return finish(&desk, output, &Money { wei: "0".to_owned() }, "The offering owes this account nothing.");
    }
    desk.send(offering, U256::ZERO, &Offering::withdrawCall {})?;
    finish(&desk, output, &Money { wei: credit.to_string() }, &format!("{}.", units::ether(credit)))
}

#[derive(Serialize)]
struct Vested {
    collected: String,
    tokens: String,
    wei: String,
}

fn vest(arguments: &Offered, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let offering = desk.offering(arguments.offering)?;
    let vesting = desk.through(offering, "vesting", &Offering::vestingCall {})?;
    let token = desk.token(offering)?;
    let mut collected = U256::ZERO;
    for (id, wei) in super::revenue::claimable(&desk, token, vesting)? {
        let call = CreatorVesting::collectCall { token, snapshotId: id, asset: Address::ZERO };
        desk.send(vesting, U256::ZERO, &call)?;
        collected += wei;
    }
    let tokens = desk.ask(vesting, &CreatorVesting::releasable_0Call { token })?;
    if !tokens.is_zero() {
        desk.send(vesting, U256::ZERO, &CreatorVesting::release_0Call { token })?;
    }
    let wei = desk.ask(vesting, &CreatorVesting::releasable_1Call {})?;
    if !wei.is_zero() {
        desk.send(vesting, U256::ZERO, &CreatorVesting::release_1Call {})?;
    }
    let vested = Vested { collected: collected.to_string(), tokens: tokens.to_string(), wei: wei.to_string() };
    let words = format!(
        "Collected {} for the vesting; released {} and {}.",
        units::ether(collected),
        self::tokens(tokens),
        units::ether(wei)
    );
    finish(&desk, output, &vested, &words)
}

#[derive(Serialize)]
struct Report {
    state: &'static str,
    creator: String,
    model_root: String,
    token: String,
    price: String,
    cap: String,
    soft_cap: String,
    sold: String,
    raised: String,
    /// Seconds until the sale ends.
    time_left: u64,
    fee: String,
    model_id: Option<String>,
    collection: Option<String>,
    vesting: Option<String>,
    /// What the oracle holds for the token.
    waiting: Option<String>,
}

fn show(arguments: &Shown, output: Output) -> Result<u8> {
    let window = Window::open(&arguments.link)?;
    let offering = window.offering(arguments.offering)?;
    let report = report(&window, offering)?;
    output.result(&report, text)?;
    Ok(AGREE)
}

fn report(window: &Window, offering: Address) -> Result<Report> {
    let sale = window.ask(offering, &Offering::saleTermsCall {})?;
    let listing = window.ask(offering, &Offering::listingTermsCall {})?;
    let state = window.ask(offering, &Offering::stateCall {})?;
    let model = window.ask(offering, &Offering::modelIdCall {})?;
    let done = !model.is_zero();
    let address = |found: Result<Address, NetworkError>| Ok::<_, NetworkError>(done.then_some(found?.to_string()));
    let deadline: u64 = sale.deadline.to();
    let waiting =
        if done { Some(window.ask(window.oracle()?, &AIOracle::revenueOfCall { modelId: model })?) } else { None };
    Ok(Report {
        state: ["open", "succeeded", "failed"].get(usize::from(state)).copied().unwrap_or("unknown"),
        creator: sale.creator.to_string(),
        model_root: listing.modelRoot.to_string(),
        token: window.ask(offering, &Offering::tokenCall {})?.to_string(),
        price: sale.price.to_string(),
        cap: sale.cap.to_string(),
        soft_cap: sale.softCap.to_string(),
        sold: window.ask(offering, &Offering::soldCall {})?.to_string(),
        raised: window.ask(offering, &Offering::raisedCall {})?.to_string(),
        time_left: deadline.saturating_sub(window.rpc.head()?.time),
        fee: listing.fee.to_string(),
        model_id: done.then(|| number(model)),
        collection: address(window.ask(offering, &Offering::collectionCall {}))?,
        vesting: address(window.ask(offering, &Offering::vestingCall {}))?,
        waiting: waiting.map(|wei| wei.to_string()),
    })
}

fn text(report: &Report) -> String {
    let ether = |wei: &String| wei.parse().map_or_else(|_| wei.clone(), units::ether);
    let amount = |units: &String| units.parse().map_or_else(|_| units.clone(), tokens);
    let mut lines = vec![
        format!("{}, by {}", report.state, report.creator),
        format!("  model {}, token {}", report.model_root, report.token),
        format!(
            "  {} of {} sold at {}, raised {}",
            amount(&report.sold),
            amount(&report.cap),
            ether(&report.price),
            ether(&report.raised)
        ),
    ];
    if report.state == "open" {
        lines.push(format!("  succeeds from {} on; ends in {} s", amount(&report.soft_cap), report.time_left));
    }
    if let (Some(model), Some(collection), Some(vesting)) = (&report.model_id, &report.collection, &report.vesting) {
        lines.push(format!("  listing {model}, fee {}", ether(&report.fee)));
        lines.push(format!("  collection {collection}, vesting {vesting}"));
        lines.push(format!("  {} wait at the oracle", report.waiting.as_ref().map_or_else(String::new, ether)));
    }
    lines.join("\n")
}

/// A listing's or token's number.
pub(super) fn number(number: U256) -> String {
    crate::hex::of(&number.to_be_bytes::<32>())
}

/// An amount of tokens in words.
pub(super) fn tokens(units: U256) -> String {
    let text = units::ether(units);
    format!("{} token{}", text.trim_end_matches(" ETH"), if units == U256::from(WHOLE) { "" } else { "s" })
}

/// What a token is, if there is one at the address at all.
pub(super) fn launched(desk: &impl Asks, token: Address) -> Result<bool> {
    let asked = desk.ask(token, &RevenueToken::launchedCall {});
    asked.with_context(|| format!("{token} is no revenue token"))
}
