-- What the shop sells. The prices are computed once, while this file loads, from a value of another module.
local tax = require "tax"

local M = {}

local net_cents = { tea = 240, scone = 320 }

local gross_cents = {}
for item, cents in pairs(net_cents) do
  gross_cents[item] = math.floor(cents * (1 + tax.rate) + 0.5)
end

function M.price(item)
  return gross_cents[item]
end

function M.money(cents)
  return ("%.2f"):format(cents / 100)
end

function M.__reload()
  print(("new prices: tea %s, scone %s"):format(M.money(M.price("tea")), M.money(M.price("scone"))))
end

return M
