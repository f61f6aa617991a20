return { hp = 100 }
