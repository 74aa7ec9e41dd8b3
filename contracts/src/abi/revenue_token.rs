use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    RevenueToken,
    "artifacts/RevenueToken.json"
);
