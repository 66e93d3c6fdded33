<?php
$body = file_get_contents('php://input');
$id = json_decode($body, false, 512, JSON_THROW_ON_ERROR)->data->id;
file_put_contents($_SERVER['ARRIVALS'], "$id " . hash('sha256', $body) . "\n", FILE_APPEND);
header('Content-Type: application/json');
echo '{"status":"success"}';
