-- The program: each run serves one customer.
-- It calls the shop while it loads, so hotsave runs it again whenever the shop's code has changed.
local shop = require "shop"

shop.serve()
