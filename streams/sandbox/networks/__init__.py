"""The far side of affiliate_marketing: three networks with their merchants, and the shoppers that follow links."""
