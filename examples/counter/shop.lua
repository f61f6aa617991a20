-- The shop keeps its state in both places a module can: a private local and a public field.
local menu = require "menu"

local M = { takings = 0 }

local customers = 0

-- Change this line, or any other, and save: the next customer hears it, and nobody is forgotten.
local greeting = "good morning"

function M.serve()
  customers = customers + 1
  local item = customers % 2 == 1 and "tea" or "scone"
  local cents = menu.price(item)
  M.takings = M.takings + cents
  print(("%s, customer %d: one %s, %s"):format(greeting, customers, item, menu.money(cents)))
  print(("takings so far: %s"):format(menu.money(M.takings)))
end

-- Called on the old code, before it goes.
function M.__dispose()
  print(("the old shop leaves after %d customers"):format(customers))
end

-- Called on the new code, when the state is back in it: time for the next customer.
function M.__reload(info)
  print(("the new shop takes over, values kept: %d"):format(info.kept))
  M.serve()
end

return M
