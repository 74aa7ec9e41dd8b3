//! Bindings made from the committed artifacts, one file for each contract.
#![expect(missing_docs, reason = "generated; the Solidity sources document it")]

mod ai_oracle;
mod aigc_collection;
mod attention;
mod batch_dispute;
mod collection_deployer;
mod creator_vesting;
mod dispute;
mod offering;
mod offering_factory;
mod opml_adapter;
mod revenue_token;
mod step_verifier;
mod token_deployer;

pub use ai_oracle::AIOracle;
pub use aigc_collection::AigcCollection;
pub use attention::Attention;
pub use batch_dispute::BatchDispute;
pub use collection_deployer::CollectionDeployer;
pub use creator_vesting::CreatorVesting;
pub use dispute::Dispute;
pub use offering::Offering;
pub use offering_factory::OfferingFactory;
pub use opml_adapter::OpmlAdapter;
pub use revenue_token::RevenueToken;
pub use step_verifier::StepVerifier;
pub use token_deployer::TokenDeployer;
