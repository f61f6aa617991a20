Score = 99
Fresh = true
table.insert = nil
error "no"
