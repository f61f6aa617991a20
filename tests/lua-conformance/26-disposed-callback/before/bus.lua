local M = { list = {} }
function M.on(fn) M.list[#M.list + 1] = fn end
function M.off(fn)
  for idx = #M.list, 1, -1 do
    if M.list[idx] == fn then table.remove(M.list, idx) end
  end
end
return M
