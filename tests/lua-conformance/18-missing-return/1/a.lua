local M = { f = function() return 2 end }
